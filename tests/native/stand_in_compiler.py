"""A program that plays the C++ compiler: it writes down how it was called and does what it is told."""

import pathlib
import stat

from neuronspan_runtime.library import torch_builds

_SCRIPT = """#!/bin/sh
for word; do [ "$word" = --version ] && echo "stand-in {version}" && exit; done
echo called >> "{directory}/calls"
printf '%s\\n' "$@" > "{directory}/arguments"
cat > "{directory}/unit.cpp"
while [ "$1" != -o ]; do shift; done
{action}
"""


def torch_build(directory: pathlib.Path) -> torch_builds.TorchBuild:
    """A torch that has headers."""
    (directory / "torch" / "include").mkdir(parents=True, exist_ok=True)
    return torch_builds.TorchBuild("2.6.0+test", True, "libtorch_cpu.so.2.6", "x86_64", directory / "torch")


class Compiler:
    """The program `name` in a directory of its own; at first it succeeds, with `library` as the product."""

    def __init__(self, directory: pathlib.Path, name: str = "g++") -> None:
        self._directory = directory
        self._program = directory / name
        directory.mkdir()
        self.does('echo library > "$2"')

    def does(self, action: str, version: str = "1.0") -> None:
        """Set what it does when it has read its input; the product is to be written to "$2"."""
        draft = self._directory / "draft"  # a shell that runs already goes on with the old one
        script = _SCRIPT.format(directory=self._directory, action=action, version=version)
        draft.write_text(script, encoding="utf-8")
        draft.chmod(stat.S_IRWXU)
        draft.replace(self._program)

    @property
    def path(self) -> str:
        """A PATH on which it comes first."""
        return f"{self._directory}:/bin:/usr/bin"

    @property
    def calls(self) -> int:
        """How often it was started."""
        calls = self._directory / "calls"
        return len(calls.read_text(encoding="utf-8").splitlines()) if calls.exists() else 0

    @property
    def arguments(self) -> list[str]:
        """What it was given the last time."""
        return (self._directory / "arguments").read_text(encoding="utf-8").splitlines()

    @property
    def unit(self) -> str:
        """What it read the last time."""
        return (self._directory / "unit.cpp").read_text(encoding="utf-8")
