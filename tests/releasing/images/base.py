"""What every image begins with: Debian's Python, one layer per architecture; and the Python that compiles bytecode.

Law: nothing of another architecture is run; bytecode is made by this machine's own variant, and is the same for all.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from cluster import process
from releasing.images import debian, oci_layout, trees

LIBRARY = "usr/lib/python3.13"
"""Debian compiles it when it is installed; without, every start would."""
COMPILE_SECONDS = 1800.0
SEED = {"PYTHONHASHSEED": "0"}
"""The order of a set of strings in bytecode follows from it."""
WHOLE = "0"
BARE = "2"
"""Without docstrings and assertions: what the agents run, by PYTHONOPTIMIZE."""


@dataclasses.dataclass(frozen=True)
class Base:
    """Debian with Python, per architecture: the tree, its layer, the packages in it, and where apt keeps others."""

    trees: Mapping[str, Path]
    layers: Mapping[str, oci_layout.Layer]
    packages: Mapping[str, tuple[debian.Package, ...]]
    downloads: Mapping[str, Path]
    native: str
    """The architecture of this machine."""

    def compiled(self, tree: Path, directory: str, level: str = WHOLE) -> oci_layout.Layer:
        """Compile the Python modules in a directory of a tree, for this level; return the tree as a layer."""
        compile_inside(self.trees[self.native], tree, directory, (level,))
        return oci_layout.layer_of(tree)


def compile_inside(root: Path, tree: Path, directory: str, levels: Iterable[str]) -> None:
    """Compile modules of a tree, maybe of ``root`` itself, by the Python of ``root``, which this machine can run."""
    inside = root / "staged"
    if tree != root:
        tree.rename(inside)
    words = bytecode(directory, levels, "/staged" if tree != root else "/")
    command = ["chroot", str(root), "/usr/bin/python3", *words]
    process.run(command, timeout=COMPILE_SECONDS, variables={"PATH": "/usr/bin:/usr/sbin", **SEED})
    if tree != root:
        inside.rename(tree)


def bytecode(directory: str, levels: Iterable[str], staged: str = "/staged") -> list[str]:
    """Return the arguments of a Python that compiles what will lie below /, and lies below ``staged`` now. Pure."""
    words = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *(f"-o{level}" for level in levels)]
    return [*words, "-s", staged, "-p", "/", str(Path(staged, directory))]


def make(work: Path) -> Base:
    """Unpack Debian's Python for every architecture below ``work``."""
    packages, roots, downloads = {}, {}, {}
    for architecture in debian.ARCHITECTURES:
        downloads[architecture], tree = work / f"apt-{architecture}", work / f"debian-{architecture}"
        packages[architecture] = debian.fetch(downloads[architecture], debian.PYTHON, architecture)
        trees.unpack(tree, debian.archives(downloads[architecture]), packages[architecture])
        trees.finish_base(tree)
        roots[architecture] = tree
    native = process.run(["dpkg", "--print-architecture"], timeout=60).strip()
    for tree in roots.values():
        compile_inside(roots[native], tree, LIBRARY, (WHOLE, BARE))
    layers = {architecture: oci_layout.layer_of(tree) for architecture, tree in roots.items()}
    return Base(roots, layers, packages, downloads, native)
