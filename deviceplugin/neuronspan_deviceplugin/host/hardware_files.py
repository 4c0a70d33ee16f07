"""Reads the tree in which the Neuron driver shows a node's devices: the kernel's own, or one that was made.

Law: reads only; a file that may not be read is None, one that is not there is left out, and nothing is concluded here.
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
    sysfs = roots.sysfs
    devices = _indices(sysfs / _below_sysfs(layout.DEVICES))
    found = [
        *_texts(sysfs, [layout.DRIVER_VERSION, *_of_devices(devices)]),
        *_texts(sysfs, _of_cores(sysfs, devices)),
        *_text(roots.dmi / layout.PRODUCT_NAME, f"{layout.DMI}/{layout.PRODUCT_NAME}"),
        *_text(roots.logical_cores, layout.LOGICAL_CORES),
    ]
    return trees.Seen(dict(found), frozenset(devices), dict(_nodes(roots.dev)))


def _of_devices(devices: Iterable[int]) -> Iterator[str]:
    for index in devices:
        yield from (f"{layout.device(index)}/{name}" for name in _OF_DEVICE)
        yield from (layout.device_counter(index, kind) for kind in faults.DEVICE_COUNTERS)


def _of_cores(sysfs: pathlib.Path, devices: Iterable[int]) -> Iterator[str]:
    for device in devices:
        for name in _names(sysfs / _below_sysfs(layout.device(device))):
            core = layout.core_index(name)
            if core is not None:
                yield from (layout.counter(device, core, kind) for kind in faults.CORE_COUNTERS)


def _nodes(dev: pathlib.Path) -> Iterator[tuple[int, trees.DeviceNode]]:
    """Yield the device nodes with the kernel's numbers; a link stands for what it leads to."""
    for index in _indices(dev):
        path = dev / f"neuron{index}"
        try:
            status = path.stat()
        except OSError:
            continue
        if stat.S_ISCHR(status.st_mode):
            on_host = str(path.readlink()) if path.is_symlink() else f"/{layout.DEVICE_NODES}/{path.name}"
            yield index, trees.DeviceNode(on_host, os.major(status.st_rdev), os.minor(status.st_rdev))


def _indices(folder: pathlib.Path) -> list[int]:
    return sorted(index for name in _names(folder) if (index := layout.device_index(name)) is not None)


def _names(folder: pathlib.Path) -> list[str]:
    try:
        return [each.name for each in folder.iterdir()]
    except OSError:
        return []


def _texts(sysfs: pathlib.Path, paths: Iterable[str]) -> _Found:
    for path in paths:
        yield from _text(sysfs / _below_sysfs(path), path)


def _text(file: pathlib.Path, path: str) -> _Found:
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


def _below_sysfs(path: str) -> str:
    return path.removeprefix(f"{layout.SYSFS}/")
