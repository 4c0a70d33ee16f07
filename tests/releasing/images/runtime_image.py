"""The image of the runtime for every architecture: Debian's torch, and our C++ library compiled for it here.

Law: the compiler is Debian's cross compiler, in a tree of its own: nothing of another architecture is run.
"""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster import errors, process
from neuronspan_runtime.library import compilation, extension, torch_builds
from releasing.images import base, debian, elf, oci_layout, python_images, trees

NAME = "runtime"
TOOLS = {
    "neuron-ls": "neuron_ls.command",
    "neuron-monitor": "neuron_monitor.command",
    "neuron-monitor-prometheus": "neuron_monitor.exporter",
    "neuron-monitor-prometheus.py": "neuron_monitor.exporter",
    "neuron-top": "neuron_top.command",
}
"""The commands on PATH and in AWS's directory, as in the Dockerfile."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
TORCH = "usr/lib/python3/dist-packages/torch"
COMPILE_SECONDS = 1800.0
HOST = "amd64"
"""The machine that the cross compiler runs on."""


def write(out: Path, below: base.Base, work: Path, created: str, version: str) -> tuple[str, list[debian.Package]]:
    """Write the image for every architecture; return its digest, and the packages above the base."""
    if below.native != HOST:
        raise errors.ClusterError(f"the runtime's library is compiled on {HOST}, and this is {below.native}")
    compiler = work / "compilers"
    found = list(debian.fetch(work / "apt-compilers", debian.COMPILERS, HOST))
    trees.unpack(compiler, debian.archives(work / "apt-compilers"), found)
    variants = []
    for architecture in debian.ARCHITECTURES:
        store = below.downloads[architecture]
        every = debian.fetch(store, debian.RUNTIME, architecture)
        packages = [each for each in every if each not in below.packages[architecture]]
        found += packages
        tree = work / f"{NAME}-{architecture}"
        trees.unpack(tree, debian.archives(store), packages)
        trees.finish_openblas(tree)
        trees.without_tests(tree)
        elf.require_complete((tree, below.trees[architecture]), MACHINES[architecture])
        ours = python_images.sources(NAME, work / f"{NAME}-sources-{architecture}")
        headers = debian.fetch(store, debian.HEADERS, architecture)
        found += headers
        _compile(compiler, tree, ours, (debian.archives(store) / headers[0].file, architecture), every)
        _commands(ours)
        _metadata(ours / "opt/neuronspan", version)
        torch, own = below.compiled(tree, "usr/lib/python3"), below.compiled(ours, "opt")
        variants.append(oci_layout.Variant(architecture, (below.layers[architecture], torch, own)))
    return oci_layout.write(out, f"neuronspan/{NAME}:{version}", variants, start_of(version), created), found


def start_of(version: str) -> oci_layout.Start:
    """Return how the image starts. Pure."""
    return oci_layout.Start(
        command=("python3",),
        user="65532:65532",
        environment={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": "/opt/neuronspan",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        labels=python_images.labels("neuronspan runtime", version),
    )


def build_of(tree: Path, architecture: str, packages: Sequence[debian.Package]) -> torch_builds.TorchBuild:
    """Return what the runtime will find in the image, read from its files; `directory` is where compilers see it."""
    found = re.search(r"^__version__ = '(.+)'$", (tree / TORCH / "version.py").read_text("utf-8"), re.MULTILINE)
    if not found:
        raise errors.ClusterError(f"{TORCH}/version.py of Debian's torch names no version")
    libc = next(each.version for each in packages if each.name == "libc6").partition("-")[0]
    soname = (tree / TORCH / "lib/libtorch_cpu.so").resolve().name
    directory = Path("/target", TORCH)
    return torch_builds.TorchBuild(found[1], True, soname, MACHINES[architecture], directory, f"glibc {libc}")


def _compile(
    compiler: Path, tree: Path, ours: Path, target: tuple[Path, str], packages: Sequence[debian.Package]
) -> None:
    """Compile the library into our sources; compiler, torch and sources have the same paths in every release."""
    headers, architecture = target
    seen, sources = compiler / "target", compiler / "sources"
    process.run(["cp", "--archive", "--link", tree, seen], timeout=COMPILE_SECONDS)
    process.run(["dpkg-deb", "--extract", headers, seen], timeout=COMPILE_SECONDS)
    (ours / "opt/neuronspan/neuronspan_runtime/csrc").rename(sources)
    build = build_of(tree, architecture, packages)
    (compiler / "tmp").mkdir(exist_ok=True)
    words = [f"/usr/bin/{MACHINES[architecture]}-linux-gnu-g++-14", *torch_builds.FLAGS]
    words += [*compilation.compile_arguments(build, Path("/sources")), "-o", f"/tmp/{extension.LIBRARY}"]  # noqa: S108
    command = ["chroot", str(compiler), *words, *compilation.link_arguments(build)]
    process.run(command, timeout=COMPILE_SECONDS, stdin=compilation.unit(sources).encode())
    directory = ours / "opt/neuronspan/neuronspan_runtime/lib" / torch_builds.key(build, sources)
    directory.mkdir(parents=True)
    (compiler / "tmp" / extension.LIBRARY).rename(directory / extension.LIBRARY)
    sources.rename(ours / "opt/neuronspan/neuronspan_runtime/csrc")
    process.run(["rm", "-r", seen], timeout=COMPILE_SECONDS)


def _commands(tree: Path) -> None:
    """Put the commands where shells look and where AWS's images have them."""
    shells, theirs = tree / "usr/local/bin", tree / "opt/aws/neuron/bin"
    for directory in (shells, theirs):
        directory.mkdir(parents=True)
    for name, module in TOOLS.items():
        text = f"#!/usr/bin/python3\nfrom neuronspan_runtime.tools.{module} import main\nmain()\n"
        (shells / name).write_text(text, encoding="ascii")
        (shells / name).chmod(0o755)
        (theirs / name).symlink_to(f"/usr/local/bin/{name}")


def _metadata(packages: Path, version: str) -> None:
    """Leave what an installer would: torch finds the device and the compile backend there, as in the Dockerfile."""
    directory = packages / f"neuronspan-{version}.dist-info"
    directory.mkdir()
    shutil.copyfile(packages / "neuronspan_runtime/entry_points.txt", directory / "entry_points.txt")
    text = f"Metadata-Version: 2.1\nName: neuronspan\nVersion: {version}\n"
    (directory / "METADATA").write_text(text, encoding="ascii")
