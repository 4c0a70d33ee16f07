"""The C++ library for the torch that is installed: found prebuilt, or compiled once from csrc/ into a cache.

Law: a library appears whole or not at all, two processes never build the same one at once, and a build that failed is
not tried again by itself until something changed.
"""

import logging
import pathlib
import re
import shlex
import time
from collections.abc import Sequence

from neuronspan_runtime import environment, errors
from neuronspan_runtime.library import compilation, failures, library_cache, torch_builds

LIBRARY = library_cache.LIBRARY
PREBUILT = torch_builds.PACKAGE / "lib"
"""Where an image or a platform wheel keeps libraries, in the layout of the cache: <key>/libneuronspan.so."""
SHOWN_LINES = 40
"""So many lines of a compiler's first failure are shown; all of them are in the log."""

_PREBUILT_NAME = re.compile(r"torch-(.+)-[0-9a-f]{12}")
_AGAIN = "It is tried again once the compiler, torch or the sources change, and by `neuronspan-runtime build`"

_log = logging.getLogger(__name__)


def library(*, again: bool = False) -> pathlib.Path:
    """Return the library for the installed torch, building it if it is nowhere; `again`: even if that failed before.

    Raises LibraryUnavailable when it is nowhere and cannot be built.
    """
    named = environment.library_path()
    if named is not None:
        if not named.is_file():
            raise errors.LibraryUnavailable(f"{environment.LIBRARY_ENV}={named} does not exist")
        return named
    build = torch_builds.installed_torch()
    state = torch_builds.state_of()
    for fitting in (build, torch_builds.in_wheels(build)):
        prebuilt = PREBUILT / torch_builds.named(fitting, state) / LIBRARY
        if prebuilt.is_file():
            return prebuilt
    try:
        cache = environment.cache_directory()
    except RuntimeError as error:  # no home directory
        raise errors.LibraryUnavailable(
            f"no library for torch {build.version} is prebuilt and there is nowhere to keep one: {error} "
            f"Set {environment.CACHE_ENV} to a writable directory{_prebuilt_for()}"
        ) from error
    return _cached(build, cache, torch_builds.named(build, state), again=again)


def _cached(build: torch_builds.TorchBuild, cache: pathlib.Path, name: str, *, again: bool) -> pathlib.Path:
    """Return a library that stays while this process lives; a build is the occasion to remove what is out of use."""
    new = not (cache / name / LIBRARY).is_file()
    while not library_cache.hold(path := built_once(build, cache / name, again=again)):
        pass  # it was removed for old between our look and our lock
    if new:
        library_cache.prune(cache, time.time())
    return path


def built_once(
    build: torch_builds.TorchBuild,
    directory: pathlib.Path,
    flags: Sequence[str] = torch_builds.FLAGS,
    *,
    again: bool = False,
) -> pathlib.Path:
    """Return the library in `directory`; build it there unless another process has done so, or is doing so now.

    Raises LibraryUnavailable when it is not there and cannot be built there, or could not be by the same compiler
    and is not to be tried `again`.
    """
    path = directory / LIBRARY
    try:
        if path.is_file():
            return path
        directory.mkdir(parents=True, exist_ok=True)
        with library_cache.alone(directory):
            if not path.is_file():
                _build(build, path, flags, again=again)
    except OSError as error:
        raise errors.LibraryUnavailable(
            f"the Neuron device library cannot be kept in {directory}: {error}. Set {environment.CACHE_ENV} to a "
            f"writable directory, or {environment.LIBRARY_ENV} to a library built with "
            "`neuronspan-runtime build --output DIRECTORY`"
        ) from error
    return path


def _build(build: torch_builds.TorchBuild, path: pathlib.Path, flags: Sequence[str], *, again: bool) -> None:
    """Compile, unless this compiler is known to fail; the directory's lock is held."""
    try:
        command = compilation.compiler(build)
    except errors.LibraryUnavailable as error:
        raise errors.LibraryUnavailable(f"{error}{_prebuilt_for()}") from None
    compiler = compilation.identity(command)
    log = failures.remembered(path.parent, compiler)
    if log and not again:
        raise errors.LibraryUnavailable(
            f"{shlex.join(command)} could not build the Neuron device library for torch {build.version} before: "
            f"what it said is in {log}. {_AGAIN}"
        )
    _log.warning(
        "building the Neuron device library for torch %s, once: this takes about a minute and 1.5 GB of memory",
        build.version,
    )
    try:
        compilation.compile_library(command, build, path, flags)
    except compilation.CompilerFailed as error:
        log = failures.remember(path.parent, compiler, str(error))
        raise errors.LibraryUnavailable(
            f"{shlex.join(command)} could not build the Neuron device library for torch {build.version}:\n"
            + "\n".join(str(error).splitlines()[:SHOWN_LINES])
            + f"\nAll of it is in {log}. {_AGAIN}"
        ) from None
    failures.forget(path.parent)


def _prebuilt_for() -> str:
    """Say for which versions of torch there are libraries here; nothing when there are none."""
    versions = {match[1] for path in PREBUILT.glob("*") if (match := _PREBUILT_NAME.fullmatch(path.name))}
    found = sorted(versions, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])
    return f"; libraries are prebuilt for torch {', '.join(found)}" if found else ""
