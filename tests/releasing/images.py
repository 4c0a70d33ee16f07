"""The images of operator and device plugin for every architecture: Debian's Python, wheels, and our sources.

Law: nothing of another architecture is run; bytecode is made by this machine's own variant, and is the same for all.
"""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

from cluster import layout, process, product_images
from releasing import debian, oci_layout, wheels

ARCHITECTURES = ("amd64", "arm64")
LEFT_OUT = {
    "runtime": "its C++ library is compiled against torch, for each architecture on its own: `make images` builds it"
}
"""Images that a release does not hold, and why."""
PACKAGES = "opt/venv/lib/python3.13/site-packages"
MODELS = "/kubernetes/(aio/)?client/(api|models)/"
"""One module per API type, half of the image: nobody imports them, so they are not compiled."""
COMPILE_SECONDS = 900.0


@dataclasses.dataclass(frozen=True)
class Component:
    """An image that is pure Python: its module, its user and its title."""

    name: str
    module: str
    user: str
    title: str


COMPONENTS = (
    Component("operator", "neuronspan_operator", "65532:65532", "neuronspan operator"),
    Component("deviceplugin", "neuronspan_deviceplugin", "0:0", "neuronspan device plugin"),
)


@dataclasses.dataclass(frozen=True)
class Base:
    """Debian with Python, per architecture: the layer, and the packages in it."""

    layers: Mapping[str, oci_layout.Layer]
    packages: Mapping[str, tuple[debian.Package, ...]]
    python_root: Path
    """The tree whose Python this machine can run."""


def make_base(work: Path) -> Base:
    """Unpack Debian's Python for every architecture below ``work``."""
    native = process.run(["dpkg", "--print-architecture"], timeout=60).strip()
    packages, trees = {}, {}
    for architecture in ARCHITECTURES:
        apt, tree = work / f"apt-{architecture}", work / f"debian-{architecture}"
        packages[architecture] = debian.download(apt, architecture)
        debian.unpack(tree, apt / "cache/archives", packages[architecture])
        trees[architecture] = tree
    layers = {architecture: oci_layout.layer_of(tree) for architecture, tree in trees.items()}
    return Base(layers, packages, trees[native])


def write(out: Path, component: Component, base: Base, hashed: Path, work: Path, created: str, version: str) -> str:
    """Write the image of a component for every architecture; return its digest."""
    ours = _compiled(base.python_root, _sources(component, work / f"{component.name}-sources"))
    variants = []
    for architecture in ARCHITECTURES:
        tree = work / f"{component.name}-{architecture}"
        wheels.install(tree / PACKAGES, hashed, architecture)
        _as_environment(tree / "opt/venv")
        libraries = _compiled(base.python_root, tree)
        variants.append(oci_layout.Variant(architecture, (base.layers[architecture], libraries, ours)))
    reference = f"neuronspan/{component.name}:{version}"
    return oci_layout.write(out, reference, variants, start_of(component, version), created)


def start_of(component: Component, version: str) -> oci_layout.Start:
    """Return how the image starts: as its Dockerfile says. Pure."""
    return oci_layout.Start(
        ("/opt/venv/bin/python", "-m", component.module),
        component.user,
        {
            "PATH": "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": "/opt/neuronspan",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        {
            "org.opencontainers.image.title": component.title,
            "org.opencontainers.image.licenses": "Apache-2.0",
            "org.opencontainers.image.version": version,
        },
    )


def _sources(component: Component, tree: Path) -> Path:
    (image,) = (each for each in product_images.IMAGES if each.name == component.name)
    for source in image.sources:
        kept = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(layout.CHECKOUT / source, tree / "opt/neuronspan" / Path(source).name, ignore=kept)
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return tree


def _as_environment(directory: Path) -> None:
    (directory / "bin").mkdir()
    for name in ("python", "python3"):
        (directory / "bin" / name).symlink_to("/usr/bin/python3.13")
    settings = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.13\n"
    (directory / "pyvenv.cfg").write_text(settings, encoding="ascii")


def _compiled(python_root: Path, tree: Path) -> oci_layout.Layer:
    """Compile what is in the tree from inside the root, whose Python is the image's; return it as a layer."""
    inside = python_root / "staged"
    tree.rename(inside)
    command = ["chroot", str(python_root), "/usr/bin/python3", "-m", "compileall", "-q", "-x", MODELS, "-s", "/staged"]
    process.run([*command, "-p", "/", "--invalidation-mode", "unchecked-hash", "/staged/opt"], timeout=COMPILE_SECONDS)
    inside.rename(tree)
    return oci_layout.layer_of(tree)
