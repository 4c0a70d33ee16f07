"""The C++ library for the torch that is installed: found prebuilt, or compiled once from csrc/ into a cache.

One library fits one torch build and one state of the sources; both are in the name of its directory.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import logging
import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

import torch

from neuronspan_runtime import environment, errors

LIBRARY = "libneuronspan.so"
PACKAGE = pathlib.Path(__file__).parent
SOURCES = PACKAGE / "csrc"
PREBUILT = PACKAGE / "lib"
"""Where an image or a platform wheel keeps libraries, in the layout of the cache: <key>/libneuronspan.so."""

COMPILERS = ("g++", "c++", "clang++")
FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-s")
"""C++17 compiles with every supported torch, although later ones are themselves built with C++20."""

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TorchBuild:
    """What of an installed torch decides whether a library fits it."""

    version: str
    """With its local part: `2.6.0+debian` is not `2.6.0+cpu`."""
    cxx11_abi: bool
    soname: str
    """File name of its CPU library: Debian's carries a version, PyPI's does not, and a library links by that name."""
    machine: str
    directory: pathlib.Path


def installed_torch() -> TorchBuild:
    """Describe the torch that this process imported."""
    directory = pathlib.Path(torch.__file__).parent
    library = (directory / "lib" / "libtorch_cpu.so").resolve()
    abi = torch.compiled_with_cxx11_abi()
    return TorchBuild(torch.__version__, abi, library.name, platform.machine(), directory)


def key(build: TorchBuild, sources: pathlib.Path = SOURCES) -> str:
    """Name the library that fits this torch and these sources."""
    digest = hashlib.sha256(repr((build.version, build.cxx11_abi, build.soname, build.machine, FLAGS)).encode())
    for path in sorted([*sources.glob("*.h"), *sources.glob("*.cpp")]):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
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
    return built_once(build, cache / name)


def built_once(build: TorchBuild, directory: pathlib.Path) -> pathlib.Path:
    """Return the library in `directory`; build it there unless another process has done so, or is doing so now."""
    path = directory / LIBRARY
    if path.is_file():
        return path
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone(directory):
            if not path.is_file():
                compile_library(build, path)
    except OSError as error:
        raise errors.LibraryUnavailable(
            f"the Neuron device library cannot be kept in {directory}: {error}. Set {environment.CACHE_ENV} to a "
            f"writable directory, or {environment.LIBRARY_ENV} to a library built with `neuronspan-runtime build`"
        ) from error
    return path


def compile_library(build: TorchBuild, destination: pathlib.Path) -> None:
    """Compile the library; `destination` appears complete or not at all.

    Raises LibraryUnavailable without a compiler, without torch's headers, or when the compiler fails.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise errors.LibraryUnavailable(
            f"no library for torch {build.version} is prebuilt and no C++ compiler is on PATH to build one: "
            "install g++ (Debian: apt-get install g++), or use the neuronspan/runtime image"
        )
    if not (build.directory / "include").is_dir():
        raise errors.LibraryUnavailable(
            f"torch {build.version} in {build.directory} has no C++ headers to build against: "
            "install them (Debian: apt-get install libtorch-dev), or use the neuronspan/runtime image"
        )
    _log.warning("building the Neuron device library for torch %s, once: this takes about a minute", build.version)
    with tempfile.TemporaryDirectory(dir=destination.parent) as scratch:
        product = pathlib.Path(scratch) / LIBRARY
        result = subprocess.run(
            [compiler, *_arguments(build, product)], input=_one_unit(), capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise errors.LibraryUnavailable(
                f"{compiler} could not build the Neuron device library for torch {build.version}:\n"
                + "\n".join(result.stderr.splitlines()[:40])
            )
        product.replace(destination)


def _one_unit() -> str:
    """Return all sources as one: torch's headers, which take nearly all of the time, are then read only once."""
    return "".join(f'#include "{path.name}"\n' for path in sorted(SOURCES.glob("*.cpp")))


def _arguments(build: TorchBuild, product: pathlib.Path) -> Sequence[str]:
    include = build.directory / "include"
    system = (include, include / "torch" / "csrc" / "api" / "include")
    return (
        *FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(build.cxx11_abi)}",
        *(argument for path in system for argument in ("-isystem", str(path))),
        *("-I", str(SOURCES), "-x", "c++", "-", "-o", str(product)),
        *("-L", str(build.directory / "lib"), "-lc10", "-ltorch_cpu", "-ltorch"),
    )


@contextlib.contextmanager
def _alone(directory: pathlib.Path) -> Iterator[None]:
    """Hold the lock on a directory, against other processes; the kernel frees it whatever happens to this one."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
