"""Compiling the C++ library for the installed torch: what the first use after an installation from source waits for."""

import pathlib
import resource
import tempfile

from neuronspan_runtime.library import compilation, library_cache, torch_builds
from performance import sampling


def measure() -> sampling.Samples:
    """CPU seconds of the compiler, which uses one CPU: on an idle machine it takes as long."""
    build = torch_builds.installed_torch()
    command = compilation.compiler(build)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as directory:
        compilation.compile_library(command, build, pathlib.Path(directory, library_cache.LIBRARY))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": [after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime]}
