"""The Neuron tools as commands, in processes of their own; they start without torch."""

import contextlib
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping

_SCRIPTS = tomllib.loads((pathlib.Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]["scripts"]
_START = "import sys, {module} as tool; sys.argv[0] = '{name}'; tool.{function}()"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def command(name: str, *arguments: str) -> list[str]:
    """The command that the package installs under this name."""
    module, _, function = _SCRIPTS[name].partition(":")
    return [sys.executable, "-c", _START.format(module=module, function=function, name=name), *arguments]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", "COLUMNS": "140", "LINES": "50", **variables}


def run(
    variables: Mapping[str, str], name: str, *arguments: str, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end."""
    return subprocess.run(
        command(name, *arguments),
        env=_environment(variables),
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@contextlib.contextmanager
def started(variables: Mapping[str, str], name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start a tool that runs until it is stopped."""
    with subprocess.Popen(
        command(name, *arguments),
        env=_environment(variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class Terminal:
    """A tool in a terminal of its own."""

    def __init__(self, variables: Mapping[str, str], name: str, *arguments: str) -> None:
        self._screen, theirs = pty.openpty()
        self._shown = ""
        self.process = subprocess.Popen(
            command(name, *arguments), env=_environment(variables), stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until this is shown, from now on; fails when the tool ends before."""
        while text not in _ESCAPES.sub("", self._shown):
            ready, _, _ = select.select([self._screen], [], [], 60)
            assert ready, f"{text!r} was not shown, but: {self._shown[-3000:]}"
            try:
                self._shown += os.read(self._screen, 1 << 16).decode(errors="replace")
            except OSError:
                raise AssertionError(f"the tool ended without {text!r}: {self._shown[-3000:]}") from None
        self._shown = ""

    def end(self) -> int:
        """Wait for its end and return its status."""
        with contextlib.suppress(OSError):
            while os.read(self._screen, 1 << 16):
                pass
        os.close(self._screen)
        return self.process.wait()


def imported_modules(name: str) -> set[str]:
    """The top-level modules that a tool has loaded when it is ready to run."""
    module, _, _ = _SCRIPTS[name].partition(":")
    result = subprocess.run(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"],
        env=_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    return {each.partition(".")[0] for each in result.stdout.split()}


def scratch(directory: pathlib.Path, name: str, content: str) -> str:
    """Write a file for a tool and return its path."""
    (directory / name).write_text(content)
    return str(directory / name)
