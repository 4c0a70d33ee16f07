"""A program that plays the C++ compiler: it writes down how it was called and does what it is told."""

import pathlib
import stat

from neuronspan_runtime.library import extension

_SCRIPT = """#!/bin/sh
echo called >> "{directory}/calls"
printf '%s\\n' "$@" > "{directory}/arguments"
cat > "{directory}/unit.cpp"
while [ "$1" != -o ]; do shift; done
{action}
"""


def torch_build(directory: pathlib.Path) -> extension.TorchBuild:
    """A torch that has headers."""
    (directory / "torch" / "include").mkdir(parents=True, exist_ok=True)
    return extension.TorchBuild("2.6.0+test", True, "libtorch_cpu.so.2.6", "x86_64", directory / "torch")


class Compiler:
    """The program `name` in a directory of its own; at first it succeeds, with `library` as the product."""

    def __init__(self, directory: pathlib.Path, name: str = "g++") -> None:
        self._directory = directory
        self._program = directory / name
        directory.mkdir()
        self.does('echo library > "$2"')

    def does(self, action: str) -> None:
        """Set what it does when it has read its input; the product is to be written to "$2"."""
        draft = self._directory / "draft"  # a shell that runs already goes on with the old one
        draft.write_text(_SCRIPT.format(directory=self._directory, action=action), encoding="utf-8")
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
