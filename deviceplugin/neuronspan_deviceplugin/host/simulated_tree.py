"""Writes the tree of a simulated node, and then what breaks and heals into it.

Law: a tree that is there is kept as long as it is the same: pods see its files through their mounts. Files that change
are written in place, because an overlay may hold on to a file that was replaced.
"""

import hashlib
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Mapping

from neuronspan_deviceplugin.host import files, hardware_files
from neuronspan_deviceplugin.tree import layout, trees

FOLDER = "tree"
"""Of all trees, in the node's directory."""
Files = Callable[[], Iterable[tuple[str, trees.File]]]
"""Makes the files of a tree, each time anew and in the order of their paths: a large node has fifteen thousand."""

_FOLDER_MODE = 0o755
_COMPLETE = "complete"


class SimulatedTree:
    """One tree that is written; ``written`` makes it. Keeps none of its thousands of files in memory."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.roots = hardware_files.Roots.below(self.root)
        self._told: dict[str, str] = {}

    def tell(self, texts: Iterable[tuple[str, str]]) -> None:
        """Write what files hold now that tell of health."""
        for path, text in texts:
            if self._told.get(path) != text:
                _overwrite(self.root / path, text.encode())
                self._told[path] = text

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        """The folders of the tree that pods see, each with the place where they see it, above what is there."""
        places = ("devices/virtual", "class", "module")
        return tuple((str(self.root / layout.SYSFS / each), f"/{layout.SYSFS}/{each}") for each in places)


def written(
    folder: pathlib.Path, make: Files, links: Mapping[str, str], *, alone: bool, selinux_label: str = ""
) -> SimulatedTree:
    """Write a tree into a folder of its own below this one, if it is not there; raises OSError.

    ``alone``: no pod sees another one, so that all others can go.
    """
    root = folder / _digest(make(), links)
    if alone and folder.is_dir():
        for other in folder.iterdir():
            if other != root:
                shutil.rmtree(other)
    if not (root / _COMPLETE).exists():
        shutil.rmtree(root, ignore_errors=True)
        _write(root, make(), links)
        files.label(selinux_label, itertools.chain([root], root.rglob("*")))
        files.write_atomically(root / _COMPLETE, [], 0o444)
    return SimulatedTree(root)


def _write(root: pathlib.Path, made: Iterable[tuple[str, trees.File]], links: Mapping[str, str]) -> None:
    """Write files and links; those that never change and are alike share one inode, or trees would fill the memory."""
    first: dict[tuple[str, int], pathlib.Path] = {}
    folder = root
    for name, file in made:
        path = root / name
        if path.parent != folder:
            folder = path.parent
            _make_folder(folder)
        key = (file.text, file.mode)
        if file.changes or key not in first:
            _create(path, file)
            if not file.changes:
                first[key] = path
        else:
            os.link(first[key], path)
    for name, target in links.items():
        _make_folder((root / name).parent)
        (root / name).symlink_to(target)


def _make_folder(folder: pathlib.Path) -> None:
    """Make a folder with those above it. The file system is asked which there are: a set of them is a megabyte."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)  # whatever the umask


def _create(path: pathlib.Path, file: trees.File) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, file.text.encode())
        os.fchmod(descriptor, file.mode)
    finally:
        os.close(descriptor)


def _overwrite(path: pathlib.Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _digest(made: Iterable[tuple[str, trees.File]], links: Mapping[str, str]) -> str:
    """Return a short name for what the tree holds, without what tells of health."""
    told = hashlib.sha256()
    for name, file in made:
        told.update(f"{name}\0{'' if file.changes else file.text}\0{file.mode:o}\n".encode())
    for name, target in sorted(links.items()):
        told.update(f"{name}\0{target}\n".encode())
    return told.hexdigest()[:12]
