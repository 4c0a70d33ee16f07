"""The lock file of each core: its inode is the lock, its content the UID of the pod that has it.

A container has the file mounted as it was when it started. A new file under the name is the next pod's alone: what is
locked or opened of the old one, wherever its descriptor went, means nothing any more.

Law: a file is never changed, only replaced as a whole, and its content comes with it; nothing is decided here.
"""

import fcntl
import os
import pathlib
from collections.abc import Iterable

from neuronspan import names
from neuronspan_deviceplugin import errors, reasons
from neuronspan_deviceplugin.allocation import core_locks
from neuronspan_deviceplugin.host import files

_MODE = 0o444  # flock needs no write access, and a lock file is never written
_TRAVERSABLE = 0o755
_LONGEST_UID = 256


class LockFiles:
    """Those of a node, in a folder of their own; ``former_pages`` is where an older version kept counters."""

    def __init__(self, folder: pathlib.Path, former_pages: pathlib.Path, selinux_label: str = "") -> None:
        self._folder = folder
        self._former_pages = former_pages
        self._selinux_label = selinux_label

    def make_missing(self, cores: int) -> None:
        """Make nobody's files for the cores that have none; raises OSError."""
        self._folder.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
        for core in range(cores):
            if not self._path(core).exists():
                self._make(core, "")
        # labelled with what is in it: a version without labels may have made them
        files.label(self._selinux_label, [self._folder, *self._folder.iterdir()])

    def of(self, cores: Iterable[int]) -> tuple[core_locks.CoreLock, ...]:
        """Read whose they are now."""
        return tuple(map(self._read, cores))

    def renew(self, cores: Iterable[int], pod_uid: str) -> None:
        """Make them anew for a pod; raises NotYet when they cannot be made."""
        try:
            for core in cores:
                self._make(core, pod_uid)
                self._empty_former_page(core)
        except OSError as error:
            raise errors.NotYet(
                f"the lock files of pod {pod_uid} cannot be made: {error}; {self._folder} must be writable and its "
                "file system have room",
                reason=reasons.StartRefusal.LOCK_FILES_UNWRITABLE,
            ) from error

    def _path(self, core: int) -> pathlib.Path:
        return self._folder / f"{core}{names.CORE_LOCK_SUFFIX}"

    def _make(self, core: int, pod_uid: str) -> None:
        files.write_atomically(self._path(core), [pod_uid.encode()], _MODE, self._selinux_label)

    def _empty_former_page(self, core: int) -> None:
        """Leave nothing of the pods before, but a file: containers that the older version admitted have its mount.

        After a reboot there is none, and a container runtime makes a folder of that name for such a mount.
        """
        page = self._former_pages / f"{core}.page"
        if page.is_file():
            files.write_atomically(page, [], _MODE, self._selinux_label)

    def _read(self, core: int) -> core_locks.CoreLock:
        try:
            descriptor = os.open(self._path(core), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # there is none: whoever is next gets one
            return core_locks.CoreLock(core, "")
        try:
            uid = os.read(descriptor, _LONGEST_UID).decode(errors="replace")
            return core_locks.CoreLock(core, uid, locked=not uid and _is_locked(descriptor))
        finally:
            os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Try the lock of a file that is nobody's: no process that may have it is refused for that."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
