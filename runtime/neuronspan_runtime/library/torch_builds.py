"""Which library fits which torch: a name for each torch build, C library and state of the sources.

The C++ compiler is no part of it: it need not be there to find a library, and all that matters of it is the ABI.

Law: looks at files and at the torch that is imported; finds and makes no library.
"""

import dataclasses
import hashlib
import importlib.resources
import os
import pathlib
import platform
from collections.abc import Sequence

import torch

PACKAGE = pathlib.Path(str(importlib.resources.files("neuronspan_runtime")))
SOURCES = PACKAGE / "csrc"

STANDARD = "-std=c++17"
"""It compiles with every supported torch, although later ones are themselves built with C++20."""
FLAGS = (STANDARD, "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-s")


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


def in_wheels(build: TorchBuild) -> TorchBuild:
    """Return what names this torch's library in a wheel of ours.

    The wheel's tag says which C libraries will do, and an installer obeys it. The local part of torch's version
    (`+cpu`, `+cu130`) says what else torch was built for: the device-independent half that we use is the same.
    """
    return dataclasses.replace(build, version=build.version.partition("+")[0], libc="")


def key(build: TorchBuild, sources: pathlib.Path = SOURCES, flags: Sequence[str] = FLAGS) -> str:
    """Name the library that fits this torch and these sources, when it is compiled with these flags."""
    return named(build, state_of(sources), flags)


def state_of(sources: pathlib.Path = SOURCES) -> bytes:
    """Return a digest of the path and the text of every source."""
    digest = hashlib.sha256()
    for name in (*below(sources, "*.h"), *below(sources, "*.cpp")):
        digest.update(repr((name, (sources / name).read_bytes())).encode())
    return digest.digest()


def named(build: TorchBuild, state: bytes, flags: Sequence[str] = FLAGS) -> str:
    """Name the library that fits this torch and the sources in this state. Pure."""
    fits = (build.version, build.cxx11_abi, build.soname, build.machine, build.libc, tuple(flags))
    return f"torch-{build.version}-{hashlib.sha256(repr(fits).encode() + state).hexdigest()[:12]}"


def below(sources: pathlib.Path, pattern: str) -> Sequence[str]:
    """Return the paths below `sources` that match, as an include names them: with their folder."""
    return sorted(path.relative_to(sources).as_posix() for path in sources.rglob(pattern))
