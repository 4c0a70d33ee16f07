"""The directory of compiled libraries, shared by all processes of a user: one builder at a time, nothing kept for ever.

A library's own file is locked, shared, by every process that uses it, and its modification time says when that was. It
is removed by whoever gets both locks: the builder's and, exclusively, the library's. What a process has mapped would
outlive its removal anyway; the locks are for those that start at this moment.

Law: never removes what a process uses or builds.
"""

import contextlib
import fcntl
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Iterator

from neuronspan_runtime.library import retention

LIBRARY = "libneuronspan.so"
SCRATCH = "building-"
"""Begins the name of a directory in which a library is being built."""
FAILURE = "failed.log"
"""In place of a library that could not be built: which compiler, and all that it said."""

_LOCK = "lock"
_TOUCH_SECONDS = 24 * 3600.0
"""Uses are noted once a day, so that hardly any import writes anything."""

_held: list[int] = []  # descriptors of the libraries that this process uses: open, and so locked, until it ends
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(directory: pathlib.Path) -> Iterator[None]:
    """Make a library's directory and hold its lock, against other processes; the kernel frees it whatever happens here.

    A builder that was killed left its scratch behind: the next one removes it.
    """
    descriptor = _locked(directory / _LOCK)
    try:
        _sweep(directory)
        yield
    finally:
        _unlock(directory / _LOCK, descriptor)


def hold(library: pathlib.Path) -> bool:
    """Keep a library from being removed while this process lives; return False when it is already gone.

    The caller then builds it again. Where files cannot be locked, it is used without.
    """
    try:
        descriptor = os.open(library, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # loading it says better what is wrong
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    status = os.fstat(descriptor)
    if status.st_nlink == 0:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    if time.time() - status.st_mtime > _TOUCH_SECONDS:
        with contextlib.suppress(OSError):  # another user's cache, or one that is read-only
            os.utime(library)
    return True


def prune(cache: pathlib.Path, now: float) -> None:
    """Remove the libraries that library_retention has no use for, unless they are used or built at this moment.

    So go the logs of failed builds that nobody has repeated for as long as an unused library is kept.

    What cannot be removed stays: this is housekeeping, and no reason for anything to fail.
    """
    for name in retention.superfluous(_libraries(cache), now):
        with contextlib.suppress(OSError):
            _remove(cache / name)
    for log in cache.glob(f"*/{FAILURE}"):
        with contextlib.suppress(OSError):
            if now - log.stat().st_mtime > retention.IDLE_SECONDS:
                log.unlink()
                log.parent.rmdir()


def _libraries(cache: pathlib.Path) -> Iterator[retention.Library]:
    for path in cache.glob(f"*/{LIBRARY}"):
        with contextlib.suppress(OSError):
            yield retention.Library(path.parent.name, path.stat().st_mtime)


def _remove(directory: pathlib.Path) -> None:
    """Remove a library and its directory. Raises OSError when that cannot be, or when it is in use: then it stays."""
    lock = directory / _LOCK
    builders = _locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        library = directory / LIBRARY
        users = os.open(library, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            library.unlink()
            _log.info("removed %s, which was not used for long", library)
        finally:
            os.close(users)
        _sweep(directory)
    finally:
        _unlock(lock, builders)
        with contextlib.suppress(OSError):  # the library is still there, or another process begins to build one
            directory.rmdir()


def _sweep(directory: pathlib.Path) -> None:
    for left in directory.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _unlock(lock: pathlib.Path, descriptor: int) -> None:
    lock.unlink(missing_ok=True)
    fcntl.flock(descriptor, fcntl.LOCK_UN)  # works even if a fork copied the descriptor meanwhile
    os.close(descriptor)


def _locked(lock: pathlib.Path, operation: int = fcntl.LOCK_EX) -> int:
    """Make or open a file, for writing as NFS wants it, and lock it; a holder removes the file, so look again then."""
    while True:
        descriptor = _opened(lock)
        try:
            try:
                fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                if operation & fcntl.LOCK_NB:
                    raise
                _log.warning("another process is building the Neuron device library in %s: waiting for it", lock.parent)
                fcntl.flock(descriptor, operation)
            if os.fstat(descriptor).st_nlink > 0:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _opened(lock: pathlib.Path) -> int:
    """Open a lock file in a directory that another process may be removing."""
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            return os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
