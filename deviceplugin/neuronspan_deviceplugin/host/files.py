"""Writes files so that a reader or a crash sees the old content or the new one, never a part.

Law: temporary file in the same folder, fsync, rename, fsync of the folder.
"""

import os
import pathlib
from collections.abc import Iterable

_SELINUX = "security.selinux"  # of xattr(7): the kernel's own name of an object's SELinux label


def holds(path: pathlib.Path, parts: Iterable[bytes]) -> bool:
    """Whether the file is there and holds these bytes, and no more; raises OSError."""
    try:
        with path.open("rb") as file:
            return all(file.read(len(each)) == each for each in parts) and not file.read(1)
    except FileNotFoundError:
        return False


def write_atomically(path: pathlib.Path, parts: Iterable[bytes], mode: int, selinux_label: str = "") -> None:
    """Replace the file by a new one; raises OSError and leaves the old one then."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(temporary, parts, mode)
        label(selinux_label, [temporary])
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def link_atomically(path: pathlib.Path, target: str) -> None:
    """Make a symbolic link to this target, in place of whatever link is there; raises OSError."""
    if path.is_symlink() and str(path.readlink()) == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # left by a process with our PID that died in the middle
    temporary.symlink_to(target)
    temporary.replace(path)


def label(selinux_label: str, paths: Iterable[pathlib.Path]) -> None:
    """Let containers at what is mounted into them, where SELinux asks for a label of theirs ("": it does not).

    A container runtime labels volumes, and not the mounts of a device. Raises OSError.
    """
    if selinux_label:
        for path in paths:
            os.setxattr(path, _SELINUX, selinux_label.encode(), follow_symlinks=False)


def _write(path: pathlib.Path, parts: Iterable[bytes], mode: int) -> None:
    path.unlink(missing_ok=True)  # left by a process with our PID that died in the middle
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        os.fchmod(file.fileno(), mode)  # exactly this mode, whatever the umask
        file.flush()
        os.fsync(file.fileno())
