"""Libraries of the torch device with a bug in them: only the files that the bug can reach are compiled again.

Objects are kept by what they were made from, and torch's headers, which take nearly all of the time, are read once for
all files. The library that the user's own programs load is neither used nor replaced.

Law: a library is made of the sources that are given; the checkout is read and never written.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import pathlib
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence

from cluster import layout
from neuronspan_runtime import environment
from neuronspan_runtime.library import compilation, torch_builds

FLAGS = (torch_builds.STANDARD, "-O1", "-fPIC", "-fvisibility=hidden")
"""Less optimised than what users get: the results are torch's, and compiling takes half as long."""
KEPT_SECONDS = 14 * 24 * 3600.0
"""What was not used for so long is removed."""

_OWN = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
_FOREIGN = re.compile(r"^#include <[^>]+>", re.MULTILINE)
_FOREIGN_NAME = "foreign.h"

Sources = Mapping[str, str]
"""The texts of the C++ sources by their paths, as an include names them."""


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """How one file becomes an object, and how objects become a library."""

    compiler: Sequence[str]
    version: str
    """The compiler's: one does not read what another one has precompiled."""
    flags: Sequence[str]
    headers: Sequence[str]
    """What makes the compiler find the headers of others."""
    libraries: Sequence[str]

    def digest(self) -> str:
        """Name everything here."""
        return hashlib.sha256(repr(dataclasses.astuple(self)).encode()).hexdigest()[:12]


def toolchain() -> Toolchain:
    """Return what compiles for the installed torch. Raises LibraryUnavailable without a compiler."""
    build = torch_builds.installed_torch()
    compiler = compilation.compiler(build)
    version = subprocess.run([*compiler, "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()
    headers = compilation.compile_arguments(build)[:-5]  # without our own directory, and without "what comes is C++"
    return Toolchain(tuple(compiler), version, FLAGS, tuple(headers), tuple(compilation.link_arguments(build)))


def checkout() -> Sources:
    """Return the sources as they are."""
    sources = torch_builds.SOURCES
    names = (*torch_builds.below(sources, "*.h"), *torch_builds.below(sources, "*.cpp"))
    return {name: (sources / name).read_text(encoding="utf-8") for name in names}


def reached(name: str, sources: Sources) -> frozenset[str]:
    """Return the files that are compiled when this one is: itself, and what it includes of ours, however deep."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += _OWN.findall(sources[each])
    return frozenset(found)


def key(name: str, sources: Sources) -> str:
    """Name the object of a file by the text of all that is compiled with it."""
    texts = [(each, sources[each]) for each in sorted(reached(name, sources))]
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:24]


def foreign_headers(sources: Sources) -> str:
    """Return a header that includes what any of the sources includes of others."""
    return "\n".join(sorted({line for text in sources.values() for line in _FOREIGN.findall(text)})) + "\n"


class Workshop:
    """Makes libraries in a directory, in which it keeps objects for the next one."""

    def __init__(self, tools: Toolchain, store: pathlib.Path) -> None:
        self._tools = tools
        self._store = store

    def library(self, sources: Sources, destination: pathlib.Path) -> None:
        """Compile what is not kept and link all of it. Raises CompileFailed with what the compiler said."""
        self._store.mkdir(parents=True, exist_ok=True)
        foreign = self._foreign(foreign_headers(sources))
        with tempfile.TemporaryDirectory(dir=self._store, prefix="sources-") as directory:
            tree = pathlib.Path(directory)
            for name, text in sources.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text, encoding="utf-8")
            compiled = functools.partial(self._object, sources=sources, tree=tree, foreign=foreign)
            names = sorted(name for name in sources if name.endswith(".cpp"))
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                objects = list(pool.map(compiled, names))
        self._run([*self._tools.compiler, "-shared", "-o", destination, *objects, *self._tools.libraries])

    def prune(self, now: float) -> None:
        """Remove what was not used for long."""
        for path in self._store.glob("*.o"):
            if now - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink(missing_ok=True)

    def _foreign(self, text: str) -> pathlib.Path:
        """Return a header with its precompiled form beside it, which the compiler takes in its place."""
        directory = self._store / f"foreign-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        directory.mkdir(exist_ok=True)
        header, ready = directory / _FOREIGN_NAME, directory / f"{_FOREIGN_NAME}.gch"
        header.write_text(text, encoding="utf-8")
        if not ready.exists():
            self._compile(["-x", "c++-header", header], ready)
        return header

    def _object(self, name: str, sources: Sources, tree: pathlib.Path, foreign: pathlib.Path) -> pathlib.Path:
        kept = self._store / f"{key(name, sources)}.o"
        if kept.exists():
            os.utime(kept)
        else:
            self._compile(["-I", tree, "-include", foreign, "-c", tree / name], kept)
        return kept

    def _compile(self, arguments: Sequence[str | pathlib.Path], destination: pathlib.Path) -> None:
        """Let `destination` appear whole or not at all: two runs may want it at once."""
        unfinished = destination.with_name(f"{os.getpid()}-{destination.name}")
        command = [*self._tools.compiler, *self._tools.flags, *self._tools.headers, *arguments, "-o", unfinished]
        self._run(command)
        unfinished.replace(destination)

    @staticmethod
    def _run(command: Sequence[str | pathlib.Path]) -> None:
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment.of_child())
        if result.returncode != 0:
            raise CompileFailed("\n".join(result.stderr.splitlines()[:40]))


class CompileFailed(Exception):  # noqa: N818 - a mutant of which this is true is none
    """What the compiler said of a file, or the linker of all of them."""


def workshop() -> Workshop:
    """Return the one for the installed torch, without what was not used for long."""
    tools = toolchain()
    made = Workshop(tools, layout.cache().root / "mutants" / tools.digest())
    made.prune(time.time())
    return made
