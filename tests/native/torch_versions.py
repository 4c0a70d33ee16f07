"""Compiles csrc/, for nothing, against the headers of every supported torch: not one warning is allowed."""

import dataclasses
import pathlib
import subprocess

from native import headers
from neuronspan_runtime.library import compilation, torch_builds

VERSIONS = ("2.6.0", "2.7.1", "2.8.0", "2.9.1", "2.10.0", "2.11.0", "2.12.0", "2.13.0")
"""The last patch of each minor version that pyproject.toml allows."""

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
FOR_NOTHING = ("-S", "-o", "/dev/null")
"""Not -fsyntax-only: what -Warray-bounds, -Wmaybe-uninitialized and others find takes the optimiser to see."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the compiler said of one torch."""

    version: str
    problems: int
    """Errors and warnings."""
    text: str

    def __str__(self) -> str:
        return f"torch {self.version}: " + ("clean" if self.problems == 0 else f"{self.problems} problems\n{self.text}")


def check(version: str, compiler: str) -> Verdict:
    """Compile against the headers of one torch."""
    return checked(version, headers.directory(version), compiler)


def checked(version: str, directory: pathlib.Path, compiler: str) -> Verdict:
    """Compile against the `include` of a directory."""
    build = torch_builds.TorchBuild(version, True, "", "", directory)
    flags = (flag for flag in torch_builds.FLAGS if flag != "-shared" and not flag.startswith("-Wl,"))
    command = (compiler, *flags, *FOR_NOTHING, *WARNINGS, *compilation.compile_arguments(build))
    result = subprocess.run(command, input=compilation.unit(), capture_output=True, text=True, check=False)
    problems = sum(" error: " in line or " warning: " in line for line in result.stderr.splitlines())
    return Verdict(version, max(problems, int(result.returncode != 0)), result.stderr)
