"""Builds that failed, remembered where the library would be: an import is no occasion to wait for the same error again.

The directory stands for torch, C library and sources; the first line of the log is the compiler's.

Law: reads and writes one log; what a failure means, others decide.
"""

import contextlib
import pathlib

from neuronspan_runtime.library import library_cache


def remembered(directory: pathlib.Path, compiler: str) -> pathlib.Path | None:
    """Return the log of the failed build by this compiler, or None when there was none."""
    log = directory / library_cache.FAILURE
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            return log if lines.readline().rstrip("\n") == compiler else None
    except OSError:
        return None


def remember(directory: pathlib.Path, compiler: str, said: str) -> pathlib.Path:
    """Keep what this compiler said. A full disk is an error of the build, too: then the next import tries again."""
    log = directory / library_cache.FAILURE
    with contextlib.suppress(OSError):
        log.write_text(f"{compiler}\n{said}", encoding="utf-8")
    return log


def forget(directory: pathlib.Path) -> None:
    """Remove the log: the library is there."""
    (directory / library_cache.FAILURE).unlink(missing_ok=True)
