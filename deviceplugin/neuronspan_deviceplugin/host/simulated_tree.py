"""Writes the tree of a simulated node, and then what breaks and heals into it.

Law: a tree that is there is kept as long as it is the same: pods see its files through their mounts. Files that change
are written in place, because an overlay may hold on to a file that was replaced.
"""

import hashlib
import os
import pathlib
import shutil
from collections.abc import Iterable

from neuronspan_deviceplugin.host import files, hardware_files
from neuronspan_deviceplugin.tree import layout, trees

FOLDER = "tree"
"""Of all trees, in the node's directory."""
_FOLDER_MODE = 0o755
_COMPLETE = "complete"


class SimulatedTree:
    """One tree, in a folder of its own below ``folder``; raises OSError."""

    def __init__(self, folder: pathlib.Path, tree: trees.Tree, selinux_label: str = "") -> None:
        self.root = folder / _digest(tree)
        self.roots = hardware_files.Roots.below(self.root)
        self._tree = tree
        self._selinux_label = selinux_label
        self._told: dict[str, str] = {}

    def write(self, *, alone: bool) -> None:
        """Write the tree if it is not there; ``alone``: no pod sees another one, so that all others can go."""
        if alone and self.root.parent.is_dir():
            for other in self.root.parent.iterdir():
                if other != self.root:
                    shutil.rmtree(other)
        if (self.root / _COMPLETE).exists():
            return
        shutil.rmtree(self.root, ignore_errors=True)
        _write(self.root, self._tree)
        files.label(self._selinux_label, self.root, *self.root.rglob("*"))
        files.write_atomically(self.root / _COMPLETE, b"", 0o444)

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


def _write(root: pathlib.Path, tree: trees.Tree) -> None:
    """Write files and links; those that never change and are alike share one inode, or trees would fill the memory."""
    folders: set[pathlib.Path] = set()
    first: dict[tuple[str, int], pathlib.Path] = {}
    for name, file in tree.files.items():
        path = root / name
        _make_folder(path.parent, folders)
        key = (file.text, file.mode)
        if file.changes or key not in first:
            _create(path, file)
            if not file.changes:
                first[key] = path
        else:
            os.link(first[key], path)
    for name, target in tree.links.items():
        _make_folder((root / name).parent, folders)
        (root / name).symlink_to(target)


def _make_folder(folder: pathlib.Path, made: set[pathlib.Path]) -> None:
    if folder in made:
        return
    if not folder.is_dir():
        _make_folder(folder.parent, made)
        folder.mkdir()
        folder.chmod(_FOLDER_MODE)  # whatever the umask
    made.add(folder)


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


def _digest(tree: trees.Tree) -> str:
    """Return a short name for what the tree holds, without what tells of health."""
    told = hashlib.sha256()
    for name, file in sorted(tree.files.items()):
        told.update(f"{name}\0{'' if file.changes else file.text}\0{file.mode:o}\n".encode())
    for name, target in sorted(tree.links.items()):
        told.update(f"{name}\0{target}\n".encode())
    return told.hexdigest()[:12]
