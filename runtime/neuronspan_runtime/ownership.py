"""NeuronCore ownership between processes: one kernel lock per core, all of a wish or nothing.

The locks are `flock`s on files opened for reading, so they work on the read-only mounts of a pod, and the kernel drops
them with the process, however it dies. One claimer at a time per directory, in ascending order: two that race never
take cores from each other.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
from collections.abc import Iterator, Mapping

from neuronspan import spans, visible_cores
from neuronspan_runtime import errors, hardware, selection


@dataclasses.dataclass(frozen=True)
class Claim:
    """The cores this process owns, until it closes them or ends."""

    span: spans.CoreSpan
    """Node numbering."""
    _locks: Mapping[int, int]

    def release(self) -> None:
        """Give the cores back at once, even if a child process inherited the open files."""
        for descriptor in self._locks.values():
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def abandon(self) -> None:
        """Forget the cores in a forked child: closing keeps the parent's locks, unlocking would drop them."""
        for descriptor in self._locks.values():
            os.close(descriptor)


def claim(machine: hardware.Machine, asked: selection.Wish) -> Claim:
    """Take the wished cores. Raises StartRefused, owning nothing, when they are taken or not this container's."""
    files = _lock_files(machine, asked.searched)
    with _alone(machine.core_directory):
        locks = _lock_free(files)
        chosen = selection.choose(asked, locks.keys())
        kept = set(chosen) if isinstance(chosen, spans.CoreSpan) else set()
        Claim(asked.searched, {core: lock for core, lock in locks.items() if core not in kept}).release()
    if isinstance(chosen, selection.Busy):
        raise errors.StartRefused(selection.refusal(asked, chosen, machine.hardware))
    return Claim(chosen, {core: lock for core, lock in locks.items() if core in kept})


def _lock_files(machine: hardware.Machine, cores: spans.CoreSpan) -> dict[int, pathlib.Path]:
    """Return the lock file of each core; outside a pod the missing ones are made."""
    files = {core: machine.lock_file(core) for core in cores}
    missing = [core for core, path in files.items() if not path.exists()]
    if not machine.prepared:
        for core in missing:
            with _refused(f"Could not make {files[core]}"):
                files[core].touch(mode=0o444)
    elif len(missing) == len(files):
        raise errors.StartRefused(visible_cores.NO_DEVICE_TEXT)
    elif missing:
        devices = sorted({machine.hardware.device_of(core) for core in missing})
        raise errors.StartRefused(
            *(f"Specified core not accessible! is /dev/neuron{device} visible to process?" for device in devices)
        )
    return files


@contextlib.contextmanager
def _alone(directory: pathlib.Path) -> Iterator[None]:
    """Hold the lock on the directory itself: between first look and last unlock nobody else claims here."""
    descriptor = _opened(directory, os.O_DIRECTORY)
    try:
        with _refused(f"Could not lock {directory}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # unlocking works even if a fork copied the descriptor meanwhile
    finally:
        os.close(descriptor)


def _lock_free(files: Mapping[int, pathlib.Path]) -> dict[int, int]:
    """Lock every core that nobody owns; return the open files."""
    locks: dict[int, int] = {}
    try:
        for core, path in sorted(files.items()):
            descriptor = _opened(path)
            locks[core] = descriptor
            if not _locked(descriptor, path):
                os.close(locks.pop(core))
    except BaseException:
        for descriptor in locks.values():
            os.close(descriptor)
        raise
    return locks


def _locked(descriptor: int, path: pathlib.Path) -> bool:
    try:
        with _refused(f"Could not lock {path}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _opened(path: pathlib.Path, flags: int = 0) -> int:
    with _refused(f"Could not open {path}"):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    """Turn the system's errors into ours; that somebody else has the lock is an answer, not an error."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise errors.StartRefused(f"{what}: {error.strerror}") from error
