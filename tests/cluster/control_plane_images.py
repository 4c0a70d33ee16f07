"""The images a control plane consists of, made from our own programs and named as kubeadm names them."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster import archive, console, errors, process, tools

SIMPLE = {
    "kube-apiserver": "/usr/local/bin/kube-apiserver",
    "kube-controller-manager": "/usr/local/bin/kube-controller-manager",
    "kube-scheduler": "/usr/local/bin/kube-scheduler",
    "etcd": "/usr/local/bin/etcd",
    "pause": "/pause",
}
"""Images that hold one static program, and where."""
PROXY = "kube-proxy"
FIREWALL = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")
FIREWALL_PROGRAM = "usr/sbin/xtables-nft-multi"
ASK_SECONDS = 60.0


def names(version: str) -> dict[str, str]:
    """Image references by component for one version of Kubernetes, as kubeadm expects them."""
    command: list[str | Path] = [tools.program("kubeadm"), "config", "images", "list", "--kubernetes-version", version]
    return parse_names(process.run(command, timeout=ASK_SECONDS))


def parse_names(listing: str) -> dict[str, str]:
    """References by component: the last part of the path, without its tag."""
    return {line.rsplit("/", 1)[1].split(":")[0]: line for line in listing.split() if "/" in line}


def write_all(directory: Path, references: Mapping[str, str], debian: Path) -> list[Path]:
    """Write every image as an archive into `directory`; `debian` is a tree with iptables to take it from."""
    written = []
    for component in (*SIMPLE, PROXY):
        with console.Step(f"node image: {references[component]}"):
            tree = directory / component
            tree.mkdir(parents=True)
            if component == PROXY:
                fill_proxy(tree, debian)
            else:
                place(tree, SIMPLE[component], tools.program(component))
            out = directory / f"{component}.tar"
            entrypoint = (SIMPLE["pause"],) if component == "pause" else ()
            archive.write(out, [references[component]], tree, archive.ImageConfig(entrypoint=entrypoint))
            shutil.rmtree(tree)
            written.append(out)
    return written


def place(tree: Path, where: str, program: Path) -> None:
    """Put a program into a tree without copying it, where the file system allows that."""
    target = tree / where.removeprefix("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(program, target)
    except OSError:
        shutil.copy2(program, target)


def fill_proxy(tree: Path, debian: Path) -> None:
    """kube-proxy, and from `debian` the iptables it runs with the libraries that needs."""
    place(tree, "/usr/local/bin/kube-proxy", tools.program(PROXY))
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    extensions = sorted(path.relative_to(debian) for path in debian.glob("usr/lib/*/xtables/*.so"))
    wanted = [Path(FIREWALL_PROGRAM), *extensions, *libraries(debian, [FIREWALL_PROGRAM, *map(str, extensions)])]
    for path in wanted:
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(debian / path, target)
    for name in FIREWALL:
        (tree / "usr/sbin" / name).symlink_to(Path(FIREWALL_PROGRAM).name)


def libraries(debian: Path, programs: Sequence[str]) -> list[Path]:
    """The shared libraries that programs in the tree `debian` need, as paths below it."""
    listing = process.run(["chroot", debian, "ldd", *(f"/{program}" for program in programs)], timeout=ASK_SECONDS)
    found = parse_libraries(listing)
    if not found:
        raise errors.ClusterError(f"ldd names no library for {programs[0]}: the Debian tree {debian} is not complete")
    return [Path(path.removeprefix("/")) for path in found]


def parse_libraries(listing: str) -> list[str]:
    """The absolute paths in the output of ldd, each once, with merged /usr spelled out."""
    paths = {word for line in listing.splitlines() if not line.endswith(":") for word in line.split() if word[0] == "/"}
    return sorted({path if path.startswith("/usr/") else f"/usr{path}" for path in paths})
