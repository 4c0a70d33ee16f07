"""One maker at a time, and nothing half made: a file lock around the work, a rename at its end."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cluster import console, scopes

POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file; says whom it waits for. The kernel frees it when the holder dies.

    Asked for again and again: a thread that sleeps in the kernel for a lock could not be told to give up.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as handle:
        if not _taken(handle):
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            if holder != str(os.getpid()):
                console.say(f"waiting for process {holder}, which is making {lock.stem}")
            while not _taken(handle):
                scopes.current().check()
                time.sleep(POLL_SECONDS)  # a flock that blocks could not be given up when a step beside this one fails
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def new_directory(final: Path) -> Iterator[Path]:
    """A directory to fill that becomes `final` by one rename, or disappears when filling it fails.

    Call it under `exclusive`: what an interrupted maker left behind is removed first.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    for leftover in final.parent.glob(f".{final.name}.*"):
        shutil.rmtree(leftover)
    draft = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        draft.chmod(0o755)
        yield draft
        draft.rename(final)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def new_file(final: Path) -> Iterator[Path]:
    """A file to write that becomes `final` by one rename, or disappears when writing it fails."""
    final.parent.mkdir(parents=True, exist_ok=True)
    draft = final.with_name(f".{final.name}.draft")
    try:
        yield draft
        draft.rename(final)
    finally:
        draft.unlink(missing_ok=True)
