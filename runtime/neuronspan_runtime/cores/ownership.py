"""NeuronCore ownership between processes: kernel locks per core, all of a wish or nothing.

The locks are `flock`s on files opened for reading, so they work on the read-only mounts of a pod, and the kernel drops
them with the process, however it dies. One claimer at a time per directory, in ascending order: two that race never
take cores from each other.

Law: a core has one owner, and the lock in the kernel is the only record of it.
"""

import contextlib
import dataclasses
import fcntl
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping

from neuronspan import spans, visible_cores
from neuronspan_runtime import errors, nrt_status
from neuronspan_runtime.cores import hardware, selection


@dataclasses.dataclass(frozen=True)
class Claim:
    """The cores this process owns, until it closes them or ends."""

    span: spans.CoreSpan
    """Node numbering."""
    _locks: Mapping[int, tuple[int, ...]]
    """The open files of each core."""
    _directory: pathlib.Path
    """Whose lock makes releasing one step for those that claim."""

    def release(self) -> None:
        """Give the cores back at once, even if a child process inherited the open files.

        A process that claims meanwhile does not see half of it: it would take a run that leaves a gap beside it.
        """
        with _alone(self._directory):
            _unlock(itertools.chain.from_iterable(self._locks.values()))

    def abandon(self) -> None:
        """Forget the cores in a forked child: closing keeps the parent's locks, unlocking would drop them."""
        _close(itertools.chain.from_iterable(self._locks.values()))


def claim(machine: hardware.Machine, asked: selection.Wish) -> Claim:
    """Take the wished cores. Raises StartRefused, owning nothing, when they are taken or not this container's."""
    files = _lock_files(machine, asked.searched)
    with _alone(machine.core_directory):
        locks = _lock_free(files)
        chosen = selection.choose(asked, locks.keys())
        kept = set(chosen) if isinstance(chosen, spans.CoreSpan) else set()
        _unlock(itertools.chain.from_iterable(lock for core, lock in locks.items() if core not in kept))
    if isinstance(chosen, selection.Busy):
        raise errors.StartRefused(selection.refusal(asked, chosen, machine.hardware))
    return Claim(chosen, {core: lock for core, lock in locks.items() if core in kept}, machine.core_directory)


def within_reach(machine: hardware.Machine, asked: selection.Wish) -> bool:
    """Return whether the wish could be fulfilled if no other process owned a core; take no lock, make no file."""
    files = itertools.chain.from_iterable(machine.lock_files(core) for core in asked.searched)
    return asked.count <= asked.searched.count and (not machine.prepared or all(path.exists() for path in files))


def _lock_files(machine: hardware.Machine, cores: spans.CoreSpan) -> dict[int, tuple[pathlib.Path, ...]]:
    """Return the lock files of each core; outside a pod the missing ones are made."""
    files = {core: machine.lock_files(core) for core in cores}
    missing = {core: [path for path in paths if not path.exists()] for core, paths in files.items()}
    absent = [core for core, paths in missing.items() if paths]
    if not machine.prepared:
        for path in itertools.chain.from_iterable(missing.values()):
            with _refused(f"Could not make {path}"):
                path.touch(mode=0o444)
    elif len(absent) == len(files):
        raise errors.StartRefused(visible_cores.NO_DEVICE_TEXT, status=nrt_status.NrtStatus.INVALID)
    elif absent:
        devices = sorted({machine.shown.device(machine.hardware.device_of(core)) for core in absent})
        raise errors.StartRefused(
            *(f"Specified core not accessible! is /dev/neuron{device} visible to process?" for device in devices),
            status=nrt_status.NrtStatus.INVALID,
        )
    return files


@contextlib.contextmanager
def _alone(directory: pathlib.Path) -> Iterator[None]:
    """Hold the lock on the directory itself: between first look and last unlock no other process claims here."""
    descriptor = _opened(directory, os.O_DIRECTORY)
    try:
        with _refused(f"Could not lock {directory}"):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # unlocking works even if a fork copied the descriptor meanwhile
    finally:
        os.close(descriptor)


def _lock_free(files: Mapping[int, tuple[pathlib.Path, ...]]) -> dict[int, tuple[int, ...]]:
    """Lock every core of which no process owns a part; return the open files."""
    locks: dict[int, tuple[int, ...]] = {}
    try:
        for core, paths in sorted(files.items()):
            if descriptors := _lock_all(paths):
                locks[core] = descriptors
    except BaseException:
        _close(itertools.chain.from_iterable(locks.values()))
        raise
    return locks


def _lock_all(paths: tuple[pathlib.Path, ...]) -> tuple[int, ...]:
    """Lock all of these files, or none: then nothing is returned."""
    descriptors: list[int] = []
    try:
        for path in paths:
            descriptors.append(_opened(path))
            if not _locked(descriptors[-1], path):
                _unlock(descriptors)
                return ()
    except BaseException:
        _close(descriptors)
        raise
    return tuple(descriptors)


def _unlock(descriptors: Iterable[int]) -> None:
    """Unlock and close: closing alone would leave the lock to a child that inherited the open file."""
    for descriptor in descriptors:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


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
    """Turn the system's errors into ours; that another process has the lock is an answer, not an error."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        raise errors.StartRefused(f"{what}: {error.strerror}") from error
