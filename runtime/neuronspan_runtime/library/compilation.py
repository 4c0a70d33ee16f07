"""Calls the C++ compiler: all sources as one unit, against the headers of one torch.

Law: a library appears complete or not at all; what is kept, and when it is tried again, others decide.
"""

import pathlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from neuronspan_runtime import environment, errors
from neuronspan_runtime.library import library_cache, torch_builds

COMPILERS = ("g++", "c++", "clang++")
"""Looked for in this order when CXX names none."""


class CompilerFailed(Exception):  # noqa: N818 - the name says what is wrong, as those of errors.py do
    """The compiler was called and made no library; the text is all that it said."""


def compiler(build: torch_builds.TorchBuild) -> Sequence[str]:
    """Return the command that compiles C++: CXX, as other builds understand it, or the first one on PATH.

    Raises LibraryUnavailable when there is none, or when this torch came without its headers.
    """
    command = _on_path(build)
    if not (build.directory / "include").is_dir():
        raise errors.LibraryUnavailable(
            f"torch {build.version} in {build.directory} has no C++ headers to build against: "
            "install them (Debian: apt-get install libtorch-dev), or use the neuronspan/runtime image"
        )
    return command


def identity(command: Sequence[str]) -> str:
    """Return one line for the command and for the version of the compiler that it calls."""
    try:
        said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        said = str(error)
    return f"{shlex.join(command)}: {(said.splitlines() or [''])[0]}"


def compile_library(
    command: Sequence[str],
    build: torch_builds.TorchBuild,
    destination: pathlib.Path,
    flags: Sequence[str] = torch_builds.FLAGS,
) -> None:
    """Compile the library; `destination` appears complete or not at all. Raises CompilerFailed, OSError."""
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=library_cache.SCRATCH) as scratch:
        product = pathlib.Path(scratch) / library_cache.LIBRARY
        result = subprocess.run(
            [*command, *flags, *compile_arguments(build), "-o", str(product), *link_arguments(build)],
            input=unit(),
            capture_output=True,
            text=True,
            check=False,
            env=environment.of_child(
                TMPDIR=scratch
            ),  # the compiler's own files go with ours, and /tmp may be read-only
        )
        if result.returncode != 0:
            raise CompilerFailed(result.stderr or f"it said nothing and ended with status {result.returncode}")
        product.replace(destination)


def unit(sources: pathlib.Path = torch_builds.SOURCES) -> str:
    """Return all sources as one: torch's headers, which take nearly all of the time, are then read only once."""
    return "".join(f'#include "{name}"\n' for name in torch_builds.below(sources, "*.cpp"))


def compile_arguments(build: torch_builds.TorchBuild, sources: pathlib.Path = torch_builds.SOURCES) -> Sequence[str]:
    """Return what the compiler must know to read the unit from its standard input.

    The names of files that end up in messages lose their directories: those of this machine say nothing on another.
    """
    include = build.directory / "include"
    system = (include, include / "torch" / "csrc" / "api" / "include")
    return (
        f"-D_GLIBCXX_USE_CXX11_ABI={int(build.cxx11_abi)}",
        f"-fmacro-prefix-map={build.directory}=torch",
        f"-fmacro-prefix-map={sources}=csrc",
        *(argument for path in system for argument in ("-isystem", str(path))),
        *("-I", str(sources), "-x", "c++", "-"),
    )


def link_arguments(build: torch_builds.TorchBuild) -> Sequence[str]:
    """Return the libraries of torch that the unit uses; Python's is not among them.

    All are named in the product, whatever the linker finds in them: a wheel's library is linked with stand-ins.
    """
    return ("-Wl,--no-as-needed", "-L", str(build.directory / "lib"), "-lc10", "-ltorch_cpu", "-ltorch")


def _on_path(build: torch_builds.TorchBuild) -> Sequence[str]:
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
