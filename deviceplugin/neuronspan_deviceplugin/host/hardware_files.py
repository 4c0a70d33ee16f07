"""Reads the tree in which the Neuron driver shows a node's devices: the kernel's own, or one that was made.

Law: reads only; a file that may not be read is None, one that is not there is left out, and nothing is concluded here.

Paths are texts here. pathlib interns each part of each path, and what is looked at every second makes the table of
interned strings twice as large as it was at the start, for as long as the process lives.
"""

import dataclasses
import os
import pathlib
import stat
from collections.abc import Iterable, Iterator

from neuronspan_deviceplugin.tree import faults, layout, trees

_MOST_BYTES = 4096
"""A file of sysfs has at most a page."""
_OF_DEVICE = (layout.CORE_COUNT, layout.CONNECTED_DEVICES, layout.INSTANCE_TYPE, layout.UNHEALTHY_COMPONENTS)

_Found = Iterator[tuple[str, str | None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Roots:
    """Where we see the parts of the tree."""

    sysfs: pathlib.Path
    dev: pathlib.Path
    dmi: pathlib.Path
    logical_cores: pathlib.Path

    @classmethod
    def below(cls, root: pathlib.Path) -> "Roots":
        """Return the places of a tree that lies below one folder."""
        return cls(root / layout.SYSFS, root / layout.DEVICE_NODES, root / layout.DMI, root / layout.LOGICAL_CORES)


def see(roots: Roots) -> trees.Seen:
    """Read everything that tells of hardware and its health: some hundred small files."""
    sysfs = str(roots.sysfs)
    devices = _indices(_place(sysfs, layout.DEVICES))
    found = [
        *_texts(sysfs, [layout.DRIVER_VERSION, *_of_devices(devices)]),
        *_texts(sysfs, _of_cores(sysfs, devices)),
        *_text(f"{roots.dmi}/{layout.PRODUCT_NAME}", f"{layout.DMI}/{layout.PRODUCT_NAME}"),
        *_text(str(roots.logical_cores), layout.LOGICAL_CORES),
    ]
    return trees.Seen(dict(found), frozenset(devices), dict(_nodes(str(roots.dev))))


def _of_devices(devices: Iterable[int]) -> Iterator[str]:
    for index in devices:
        yield from (f"{layout.device(index)}/{name}" for name in _OF_DEVICE)
        yield from (layout.device_counter(index, kind) for kind in faults.DEVICE_COUNTERS)


def _of_cores(sysfs: str, devices: Iterable[int]) -> Iterator[str]:
    for device in devices:
        for name in _names(_place(sysfs, layout.device(device))):
            core = layout.core_index(name)
            if core is not None:
                yield from (layout.counter(device, core, kind) for kind in faults.CORE_COUNTERS)


def _nodes(dev: str) -> Iterator[tuple[int, trees.DeviceNode]]:
    """Yield the device nodes with the kernel's numbers; a link stands for what it leads to."""
    found = {index: each for each in _entries(dev) if (index := layout.device_index(each.name)) is not None}
    for index, entry in sorted(found.items()):
        try:
            status = entry.stat()
            if stat.S_ISCHR(status.st_mode):
                link = os.readlink(entry) if entry.is_symlink() else f"/{layout.DEVICE_NODES}/{entry.name}"  # noqa: PTH115
                yield index, trees.DeviceNode(link, os.major(status.st_rdev), os.minor(status.st_rdev))
        except OSError:
            continue


def _indices(folder: str) -> list[int]:
    return sorted(index for name in _names(folder) if (index := layout.device_index(name)) is not None)


def _names(folder: str) -> list[str]:
    return [each.name for each in _entries(folder)]


def _entries(folder: str) -> "list[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _texts(sysfs: str, paths: Iterable[str]) -> _Found:
    for path in paths:
        yield from _text(_place(sysfs, path), path)


def _text(file: str, path: str) -> _Found:
    """Yield the path with what the file holds, None when it may not be read; nothing when it is not there."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        yield path, None
        return
    try:
        yield path, os.read(descriptor, _MOST_BYTES).decode(errors="replace")
    except OSError:
        yield path, None
    finally:
        os.close(descriptor)


def _place(sysfs: str, path: str) -> str:
    """Return where we see a path of sysfs."""
    return f"{sysfs}/{path.removeprefix(f'{layout.SYSFS}/')}"
