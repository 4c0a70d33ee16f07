"""Python programs as a user starts them: in a new interpreter, nothing imported, with an environment of their own."""

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from neuronspan_runtime import environment
from neuronspan_runtime.library import torch_builds

INHERITED = (
    *(environment.LIBRARY_ENV, environment.CACHE_ENV),
    *("LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "PYTHONMALLOC"),
)
"""All that they see of the tests' environment: which library is being tested, and what a sanitized one needs."""


CHECKOUT = pathlib.Path(__file__).parents[3]


def run(
    variables: Mapping[str, str],
    code: str,
    *arguments: str | pathlib.Path,
    warnings: bool = True,
    first: Sequence[pathlib.Path] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, for as long as the test may take; without `warnings` as `python -W ignore` does.

    Directories in `first` come first on Python's path.
    """
    ours = os.environ  # noqa: TID251 - the tests' own environment, of which a few variables go on
    inherited = {name: ours[name] for name in INHERITED if name in ours}
    own = {
        "PATH": os.defpath,
        "HOME": str(pathlib.Path.home()),
        "PYTHONPATH": os.pathsep.join(map(str, [*first, *sys.path])),
    }
    return subprocess.run(
        [sys.executable, *(() if warnings else ("-W", "ignore")), "-c", code, *arguments],
        env={**own, **inherited, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def install_entry_points(directory: pathlib.Path) -> None:
    """Leave in a directory what an installer does for torch: on Python's path, our entry points are found."""
    metadata = directory / "neuronspan-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: neuronspan\nVersion: 0\n", encoding="utf-8")
    shutil.copyfile(torch_builds.PACKAGE / "entry_points.txt", metadata / "entry_points.txt")
