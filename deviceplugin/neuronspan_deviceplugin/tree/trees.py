"""A tree of files as a value, and what an observer sees of one."""

import dataclasses
from collections.abc import Iterable, Mapping

from neuronspan_deviceplugin.tree import layout


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """What a file holds; one that ``changes`` is written to while the node runs, as a driver does to tell faults."""

    text: str
    mode: int = 0o444
    changes: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Tree:
    """Files and symbolic links, by their path below the root; folders are where something is in them."""

    files: Mapping[str, File]
    links: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceNode:
    """The file in /dev through which a device is used: where it is on the host, and the kernel's numbers for it."""

    path: str
    major: int
    minor: int


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a tree: texts by path, None where a file is and may not be read."""

    files: Mapping[str, str | None]
    devices: frozenset[int]  # those that have a folder
    nodes: Mapping[int, DeviceNode]

    def text(self, path: str) -> str:
        """Return the text without the white space around it, "" when there is none."""
        return (self.files.get(path) or "").strip()


def seen(tree: Tree, nodes: Mapping[int, DeviceNode], *, owner: bool = True) -> Seen:
    """Return what one who owns the files sees of a tree, or one who does not."""
    readable = 0o400 if owner else 0o004
    files = {path: each.text if each.mode & readable else None for path, each in tree.files.items()}
    return Seen(files, devices_in(files), nodes)


def devices_in(paths: Iterable[str]) -> frozenset[int]:
    """Return the devices to which some of the paths belong."""
    below = f"{layout.DEVICES}/"
    found = (layout.device_index(each.removeprefix(below).split("/")[0]) for each in paths if each.startswith(below))
    return frozenset(each for each in found if each is not None)
