"""The C++ library for the torch that is installed: found prebuilt, or compiled once from csrc/ into a cache.

One library fits one torch build, one C library and one state of the sources; all of that is in the name of its
directory. The C++ compiler is not: it need not be there to find a library, and all that matters of it is the ABI.

Law: a library appears whole or not at all, and two processes never build the same one at once.
"""

import dataclasses
import hashlib
import importlib.resources
import logging
import os
import pathlib
import platform
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence

import torch

from neuronspan_runtime import environment, errors
from neuronspan_runtime.library import library_cache

LIBRARY = library_cache.LIBRARY
PACKAGE = pathlib.Path(str(importlib.resources.files("neuronspan_runtime")))
SOURCES = PACKAGE / "csrc"
PREBUILT = PACKAGE / "lib"
"""Where an image or a platform wheel keeps libraries, in the layout of the cache: <key>/libneuronspan.so."""

COMPILERS = ("g++", "c++", "clang++")
"""Looked for in this order when CXX names none."""
STANDARD = "-std=c++17"
"""It compiles with every supported torch, although later ones are themselves built with C++20."""
FLAGS = (STANDARD, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-s")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TorchBuild:
    """What of an installed torch, and of the system below it, decides whether a library fits."""

    version: str
    """With its local part: `2.6.0+debian` is not `2.6.0+cpu`."""
    cxx11_abi: bool
    soname: str
    """File name of its CPU library: Debian's carries a version, PyPI's does not, and a library links by that name."""
    machine: str
    directory: pathlib.Path
    libc: str = ""
    """`glibc 2.41`: a home directory may be shared by containers, and what a newer one links an older one refuses."""


def installed_torch() -> TorchBuild:
    """Describe the torch that this process imported."""
    directory = pathlib.Path(torch.__file__).parent
    library = (directory / "lib" / "libtorch_cpu.so").resolve()
    abi = torch.compiled_with_cxx11_abi()
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    return TorchBuild(torch.__version__, abi, library.name, platform.machine(), directory, libc)


def key(build: TorchBuild, sources: pathlib.Path = SOURCES, flags: Sequence[str] = FLAGS) -> str:
    """Name the library that fits this torch and these sources, when it is compiled with these flags."""
    fits = (build.version, build.cxx11_abi, build.soname, build.machine, build.libc, tuple(flags))
    digest = hashlib.sha256(repr(fits).encode())
    for name in (*_names(sources, "*.h"), *_names(sources, "*.cpp")):
        digest.update(repr((name, (sources / name).read_bytes())).encode())
    return f"torch-{build.version}-{digest.hexdigest()[:12]}"


def library() -> pathlib.Path:
    """Return the library for the installed torch, building it if it is nowhere.

    Raises LibraryUnavailable when it is nowhere and cannot be built.
    """
    named = environment.library_path()
    if named is not None:
        if not named.is_file():
            raise errors.LibraryUnavailable(f"{environment.LIBRARY_ENV}={named} does not exist")
        return named
    build = installed_torch()
    name = key(build)
    prebuilt = PREBUILT / name / LIBRARY
    if prebuilt.is_file():
        return prebuilt
    try:
        cache = environment.cache_directory()
    except RuntimeError as error:  # no home directory
        raise errors.LibraryUnavailable(
            f"no library for torch {build.version} is prebuilt and there is nowhere to keep one: {error} "
            f"Set {environment.CACHE_ENV} to a writable directory"
        ) from error
    return _cached(build, cache, name)


def _cached(build: TorchBuild, cache: pathlib.Path, name: str) -> pathlib.Path:
    """Return a library that stays while this process lives; a build is the occasion to remove what is out of use."""
    new = not (cache / name / LIBRARY).is_file()
    while not library_cache.hold(path := built_once(build, cache / name)):
        pass  # it was removed for old between our look and our lock
    if new:
        library_cache.prune(cache, time.time())
    return path


def built_once(build: TorchBuild, directory: pathlib.Path, flags: Sequence[str] = FLAGS) -> pathlib.Path:
    """Return the library in `directory`; build it there unless another process has done so, or is doing so now.

    Raises LibraryUnavailable when it is not there and cannot be built there.
    """
    path = directory / LIBRARY
    try:
        if path.is_file():
            return path
        directory.mkdir(parents=True, exist_ok=True)
        with library_cache.alone(directory):
            if not path.is_file():
                compile_library(build, path, flags)
    except OSError as error:
        raise errors.LibraryUnavailable(
            f"the Neuron device library cannot be kept in {directory}: {error}. Set {environment.CACHE_ENV} to a "
            f"writable directory, or {environment.LIBRARY_ENV} to a library built with "
            "`neuronspan-runtime build --output DIRECTORY`"
        ) from error
    return path


def compile_library(build: TorchBuild, destination: pathlib.Path, flags: Sequence[str] = FLAGS) -> None:
    """Compile the library; `destination` appears complete or not at all.

    Raises LibraryUnavailable without a compiler, without torch's headers, or when the compiler fails.
    """
    compiler = _compiler(build)
    if not (build.directory / "include").is_dir():
        raise errors.LibraryUnavailable(
            f"torch {build.version} in {build.directory} has no C++ headers to build against: "
            "install them (Debian: apt-get install libtorch-dev), or use the neuronspan/runtime image"
        )
    _log.warning(
        "building the Neuron device library for torch %s, once: this takes about a minute and 1.5 GB of memory",
        build.version,
    )
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=library_cache.SCRATCH) as scratch:
        product = pathlib.Path(scratch) / LIBRARY
        result = subprocess.run(
            [*compiler, *flags, *compile_arguments(build), "-o", str(product), *link_arguments(build)],
            input=unit(),
            capture_output=True,
            text=True,
            check=False,
            env=environment.of_child(
                TMPDIR=scratch
            ),  # the compiler's own files go with ours, and /tmp may be read-only
        )
        if result.returncode != 0:
            raise errors.LibraryUnavailable(
                f"{shlex.join(compiler)} could not build the Neuron device library for torch {build.version}:\n"
                + "\n".join(result.stderr.splitlines()[:40])
            )
        product.replace(destination)


def unit(sources: pathlib.Path = SOURCES) -> str:
    """Return all sources as one: torch's headers, which take nearly all of the time, are then read only once."""
    return "".join(f'#include "{name}"\n' for name in _names(sources, "*.cpp"))


def _names(sources: pathlib.Path, pattern: str) -> Sequence[str]:
    """Return the paths below `sources` that match, as an include names them: with their folder."""
    return sorted(path.relative_to(sources).as_posix() for path in sources.rglob(pattern))


def compile_arguments(build: TorchBuild, sources: pathlib.Path = SOURCES) -> Sequence[str]:
    """Return what the compiler must know to read the unit from its standard input."""
    include = build.directory / "include"
    system = (include, include / "torch" / "csrc" / "api" / "include")
    return (
        f"-D_GLIBCXX_USE_CXX11_ABI={int(build.cxx11_abi)}",
        *(argument for path in system for argument in ("-isystem", str(path))),
        *("-I", str(sources), "-x", "c++", "-"),
    )


def link_arguments(build: TorchBuild) -> Sequence[str]:
    """Return the libraries of torch that the unit uses; Python's is not among them."""
    return ("-L", str(build.directory / "lib"), "-lc10", "-ltorch_cpu", "-ltorch")


def _compiler(build: TorchBuild) -> Sequence[str]:
    """Return the command that compiles C++: CXX, as other builds understand it, or the first one on PATH."""
    named = environment.compiler()
    for command in [named] if named else [(name,) for name in COMPILERS]:
        if found := shutil.which(command[0]):
            return (found, *command[1:])
    missing = f"{environment.COMPILER_ENV}={named[0]} is not on PATH" if named else "no C++ compiler is on PATH"
    raise errors.LibraryUnavailable(
        f"no library for torch {build.version} is prebuilt and {missing} to build one: "
        "install g++ (Debian: apt-get install g++), or use the neuronspan/runtime image, or set "
        f"{environment.LIBRARY_ENV} to a library that `neuronspan-runtime build` made where there is a compiler"
    )
