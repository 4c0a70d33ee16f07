"""Who holds the lock of which file, as the kernel tells it; nothing is locked to find out.

Trying a lock would refuse it to a process that claims its core at that moment. /proc/locks names holders by their
process ID in the reader's own PID namespace, and leaves out those that are outside of it.

Law: reads only; no lock is taken, not even for a moment.
"""

import os
import pathlib
from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
File = tuple[str, int]
"""Device as the kernel prints it (`fe:00`), and inode."""


def owners(files: Mapping[K, pathlib.Path], proc: pathlib.Path = pathlib.Path("/proc")) -> dict[K, int]:
    """Return the process that holds the lock of each file, by the file's key; files without a holder are left out.

    Without a readable /proc/locks (some sandboxes have none) no holder is known.
    """
    try:
        holders = parse_locks((proc / "locks").read_text())
        mounts = parse_mounts((proc / "self" / "mountinfo").read_text())
    except OSError:
        return {}
    found = {key: _identity(path, mounts, proc) for key, path in files.items()}
    return {key: holders[file] for key, file in found.items() if file is not None and file in holders}


def parse_locks(text: str) -> dict[File, int]:
    """Read /proc/locks: the process that holds a whole-file write lock (flock) of each file.

    A line of a waiting process has an arrow after its number; it holds nothing.
    """
    return dict(_holders(text))


def _holders(text: str) -> Iterator[tuple[File, int]]:
    for line in text.splitlines():
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, file, *_] if file.count(":") == 2:  # noqa: PLR2004 - major:minor:inode
                device, _, inode = file.rpartition(":")
                yield (device, int(inode)), int(pid)
            case _:
                pass


def parse_mounts(text: str) -> dict[int, str]:
    """Read mountinfo: the device of each mount, as /proc/locks prints it (hexadecimal; here it is decimal)."""
    devices = {}
    for line in text.splitlines():
        mount, _, device, *_ = line.split(" ", 3)
        major, _, minor = device.partition(":")
        devices[int(mount)] = f"{int(major):02x}:{int(minor):02x}"
    return devices


def _identity(path: pathlib.Path, mounts: Mapping[int, str], proc: pathlib.Path) -> File | None:
    """Name a file as /proc/locks does: some file systems (btrfs) tell stat another device than their own."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        inode = os.fstat(descriptor).st_ino
        lines = (proc / "self" / "fdinfo" / str(descriptor)).read_text().splitlines()
    except OSError:
        return None
    finally:
        os.close(descriptor)
    mount = next((int(line.split()[1]) for line in lines if line.startswith("mnt_id:")), -1)
    return (mounts[mount], inode) if mount in mounts else None
