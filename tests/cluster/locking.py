"""One maker at a time, and nothing half made: a file lock around the work, a rename at its end."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cluster import console


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file; says whom it waits for. The kernel frees it when the holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            console.say(f"waiting for process {handle.read().strip() or 'unknown'}, which is making {lock.stem}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


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
