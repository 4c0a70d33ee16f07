"""Python programs as a user starts them: in a new interpreter, nothing imported, with an environment of their own."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Mapping

from neuronspan_runtime import environment

INHERITED = (
    *(environment.LIBRARY_ENV, environment.CACHE_ENV),
    *("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "PYTHONMALLOC"),
)
"""All that they see of the tests' environment: which library is being tested, and what a sanitized one needs."""


def run(
    variables: Mapping[str, str], code: str, *arguments: str | pathlib.Path, warnings: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, for as long as the test may take; without `warnings` as `python -W ignore` does."""
    ours = os.environ  # noqa: TID251 - the tests' own environment, of which a few variables go on
    inherited = {name: ours[name] for name in INHERITED if name in ours}
    own = {"PATH": os.defpath, "HOME": str(pathlib.Path.home()), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *(() if warnings else ("-W", "ignore")), "-c", code, *arguments],
        env={**own, **inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
