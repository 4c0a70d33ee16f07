"""Where a cluster keeps its files: a directory of its own whose path leaves room for the names of sockets."""

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping

LONGEST = 48
"""Bytes of the directory's path: a socket's has at most 107 (sun_path of unix(7)), of which ours need 55."""
_PREFIX = "ns-"
_SUFFIX = 8
"""Letters that tempfile appends."""

_SHARED = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - parents of a directory that mkdtemp makes for this user alone


class NoDirectory(Exception):  # noqa: N818 - the name says what happened
    """No directory of this machine can be written and has a path that is short enough."""


@contextlib.contextmanager
def own(environment: Mapping[str, str]) -> Iterator[pathlib.Path]:
    """Make a directory that goes, with all that is in it, when the context is left; raises NoDirectory."""
    made = make(environment)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def make(environment: Mapping[str, str]) -> pathlib.Path:
    """Make an empty directory that only this user may read; raises NoDirectory."""
    tried = []
    for parent in _parents(environment):
        if len(os.fsencode(parent)) + len(f"/{_PREFIX}") + _SUFFIX > LONGEST:
            tried.append(f"{parent}: its path is too long for the names of sockets")
            continue
        try:
            return pathlib.Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        except OSError as error:
            tried.append(f"{parent}: {error.strerror}")
    way_out = "let TMPDIR name one with a short path that you may write to"
    raise NoDirectory("\n  ".join((f"no directory can be made for the cluster; {way_out}:", *tried)))


def cache(environment: Mapping[str, str], variable: str, root: pathlib.Path) -> pathlib.Path:
    """Return where the runtime keeps its library: as the variable says, in the home directory, or below ``root``."""
    if environment.get(variable):
        return pathlib.Path(environment[variable])
    home = environment.get("HOME") or "/"
    wanted = pathlib.Path(home) / ".cache" / "neuronspan" / "runtime"
    there = next(each for each in (wanted, *wanted.parents) if each.exists())
    return wanted if os.access(there, os.W_OK | os.X_OK) else root / "runtime"


def _parents(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the directories to look at, each once."""
    asked = (environment.get("TMPDIR"), environment.get("XDG_RUNTIME_DIR"), *_SHARED)
    yield from dict.fromkeys(str(pathlib.Path(each).resolve()) for each in asked if each)
