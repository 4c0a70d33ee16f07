"""The node's directory that containers see parts of: what the hardware is, and a lock file and a page for each core.

Law: a lock file is made once and never replaced: its inode is the lock, a new file would let two processes own a core.
A page is where the owner of a core counts what it does, for the tools; nothing is decided by it.
"""

import json
import os
import pathlib

from neuronspan import errors as domain_errors
from neuronspan import instance_types, names
from neuronspan_deviceplugin.host import files

_SELINUX = "security.selinux"  # of xattr(7): the kernel's own name of an object's SELinux label
_READABLE = 0o644
_LOCK_MODE = 0o444  # flock needs no write access, and a lock file is never written
_TRAVERSABLE = 0o755
_PAGE_MODE = 0o666  # a container writes to its cores' pages under whatever user it runs as,
_PRIVATE = 0o700  # and users of the host do not get there: cutting a page off would end the process that counts on it


class NodeDirectory:
    """Usually /run/neuronspan, on memory: it is new after a reboot, as locks and processes are."""

    def __init__(self, path: pathlib.Path, selinux_label: str = "") -> None:
        self._path = path
        self._selinux_label = selinux_label

    def write(self, hardware: instance_types.Hardware) -> None:
        """Describe the hardware and make the lock files that are missing; raises OSError."""
        locks = self._path / names.CORE_LOCKS_DIRECTORY
        locks.mkdir(mode=_TRAVERSABLE, parents=True, exist_ok=True)
        pages = self._path / names.TELEMETRY_DIRECTORY
        pages.mkdir(mode=_PRIVATE, exist_ok=True)
        for core in range(hardware.cores):
            _make(locks / f"{core}{names.CORE_LOCK_SUFFIX}", _LOCK_MODE)
            _make(pages / f"{core}{names.TELEMETRY_SUFFIX}", _PAGE_MODE, names.TELEMETRY_BYTES)
        content = json.dumps(hardware.to_dict(), sort_keys=True).encode()
        files.write_atomically(self._path / names.HARDWARE_FILE, content, _READABLE)
        self._label(self._path / names.HARDWARE_FILE, locks, *locks.iterdir(), pages, *pages.iterdir())

    def _label(self, *paths: pathlib.Path) -> None:
        """Let containers at what is mounted into them, where SELinux asks for a label of theirs.

        A container runtime labels volumes, and not the mounts of a device. A folder is labelled too: what is made in it
        later has its type.
        """
        if self._selinux_label:
            for path in paths:
                os.setxattr(path, _SELINUX, self._selinux_label.encode())

    def hardware(self) -> instance_types.Hardware | None:
        """Return the hardware described last; None when there is none, or none that can be read."""
        try:
            raw = json.loads((self._path / names.HARDWARE_FILE).read_bytes())
            return instance_types.Hardware.from_dict(raw)
        except (OSError, ValueError, TypeError, domain_errors.InvalidHardware):
            return None


def _make(path: pathlib.Path, mode: int, size: int = 0) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, mode)  # exactly this mode, whatever the umask
        os.truncate(descriptor, size)
    finally:
        os.close(descriptor)
