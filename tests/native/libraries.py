"""Compiled libraries for torches that are not installed: for the wheels that bring them along.

A library is compiled against the headers of its torch, and linked with stand-ins for torch's libraries that have their
names and nothing in them: a shared library names those that it needs, and its symbols are looked up when it is loaded.

Law: the code is what the same compiler makes against the installed torch; only the order of symbols may differ, which
the linker puts in that of the libraries that have them.
"""

import hashlib
import pathlib
import platform
import subprocess
import tempfile
from collections.abc import Sequence

from cluster import layout
from native import headers, torch_versions
from neuronspan_runtime.library import compilation, extension, torch_builds

SONAMES = ("libc10.so", "libtorch_cpu.so", "libtorch.so")
"""Of torch's libraries in the packages of PyPI."""
OLD_STRINGS = ("2.6.0",)
"""Versions that there are with the old ABI of `std::string` and with the new one: both are made."""


def wanted(versions: Sequence[str] = torch_versions.VERSIONS) -> tuple[torch_builds.TorchBuild, ...]:
    """Return what names the libraries of a wheel for this machine, their directory aside. Pure."""
    machine = platform.machine()
    return tuple(
        torch_builds.TorchBuild(version, abi, SONAMES[1], machine, pathlib.Path("/"))
        for version in versions
        for abi in ((False, True) if version in OLD_STRINGS else (True,))
    )


def make(build: torch_builds.TorchBuild) -> pathlib.Path:
    """Return the library for one of them; compile it unless this compiler has done so before."""
    include = headers.directory(build.version) / "include"
    with tempfile.TemporaryDirectory(prefix="torch-") as directory:
        torch = pathlib.Path(directory)
        (torch / "include").symlink_to(include)
        there = torch_builds.TorchBuild(build.version, build.cxx11_abi, build.soname, build.machine, torch)
        command = compilation.compiler(there)
        stand_ins(torch / "lib", command)
        compiler = hashlib.sha256(compilation.identity(command).encode()).hexdigest()[:12]
        kept = layout.cache().root / "wheel-libraries" / f"{torch_builds.key(build)}-{compiler}"
        return extension.built_once(there, kept, again=True)


def stand_ins(directory: pathlib.Path, command: Sequence[str]) -> None:
    """Write empty shared libraries with the names of torch's into a new directory."""
    directory.mkdir()
    for name in SONAMES:
        arguments = ("-shared", "-nostdlib", f"-Wl,-soname,{name}", "-x", "c++", "-", "-o", str(directory / name))
        subprocess.run([*command, *arguments], input=b"", check=True)
