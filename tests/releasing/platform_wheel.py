"""Our wheel with compiled libraries in it, so that the runtime works where there is no compiler.

Which systems it is for follows from the symbols that the libraries ask of the C and C++ libraries: auditwheel knows,
and refuses a wheel that needs what systems do not have. torch brings its own libraries: those are left out.

Law: the same libraries and the same time give the same bytes.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cluster import environment, layout, process
from native import libraries
from neuronspan_runtime.library import library_cache, torch_builds
from releasing import wheels

SECONDS = 900.0
HOOK = "HATCH_BUILD_HOOK_ENABLE_CUSTOM"
LIBRARIES = "NEURONSPAN_WHEEL_LIBRARIES"
"""The variable of tests/native/wheel_hook.py."""


def make(directory: Path, created: int) -> Path:
    """Compile a library for every supported torch and build the wheel with all of them into `directory`; return it."""
    return build(directory, created, {torch_builds.key(each): libraries.make(each) for each in libraries.wanted()})


def build(directory: Path, created: int, made: Mapping[str, Path]) -> Path:
    """Build the wheel with libraries by their keys, with one time for everything; return it."""
    os.umask(0o022)  # of this process and its children: the modes of files are part of a wheel
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        lib, plain, tagged = (Path(temporary, name) for name in ("lib", "plain", "tagged"))
        for key, library in sorted(made.items()):
            (lib / key).mkdir(parents=True, mode=0o755)
            shutil.copyfile(library, lib / key / library_cache.LIBRARY)
            (lib / key / library_cache.LIBRARY).chmod(0o644)
        wheels.build(plain, created, {HOOK: "true", LIBRARIES: str(lib)})
        (found,) = plain.glob("*.whl")
        _audit(found, tagged, created)
        (wheel,) = tagged.glob("*.whl")
        return Path(shutil.copyfile(wheel, directory / wheel.name))


def time_of_commit() -> int:
    """Return the time that everything in the wheel has: SOURCE_DATE_EPOCH, or that of the checkout's commit."""
    chosen = environment.value("SOURCE_DATE_EPOCH")
    words = ["git", "-C", str(layout.CHECKOUT), "show", "-s", "--format=%ct", "HEAD"]
    return int(chosen or process.run(words, timeout=SECONDS))


def _audit(wheel: Path, out: Path, created: int) -> None:
    """Give the wheel the tag of the oldest systems that it runs on."""
    locked = wheels.locked(wheels.AUDIT)
    command = [wheels.uv(), "run", "--quiet", "--isolated", "--no-project", "--with-requirements", str(locked)]
    command += ["--", "auditwheel", "repair", "--plat", "auto", "--only-plat", "--wheel-dir", str(out)]
    command += [word for name in libraries.SONAMES for word in ("--exclude", name)]
    variables = environment.variables(SOURCE_DATE_EPOCH=str(created))
    process.run([*command, str(wheel)], timeout=SECONDS, variables=variables)
