"""Building the C++ library in several processes, some of which die: one builds, nobody sees half a library."""

import contextlib
import logging
import os
import pathlib
import signal
from collections.abc import Iterator

import pytest

from kits.device import neuron_processes
from native import stand_in_compiler
from neuronspan_runtime import environment, errors
from neuronspan_runtime.library import extension, library_cache


def built(directory: pathlib.Path, told: pathlib.Path | None = None) -> pathlib.Path:
    """Build in directory/key; write a line to `told` when another process's build must be waited for."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    if told is not None:
        logging.getLogger(library_cache.__name__).addHandler(Waiting(told))
    return extension.built_once(stand_in_compiler.torch_build(directory), directory / "key")


def built_as_nobody(directory: pathlib.Path) -> str:
    """Try to build where this process may not write; return the error."""
    build = stand_in_compiler.torch_build(directory)
    directory.chmod(0o555)
    if os.geteuid() == 0:
        os.setuid(65534)
    try:
        extension.built_once(build, directory / "key")
    except errors.LibraryUnavailable as error:
        return str(error)
    return "built"


class Waiting(logging.Handler):
    """Tells a fifo that the process waits for another one."""

    def __init__(self, told: pathlib.Path) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        if "waiting" in record.getMessage():
            self._told.write_text("waiting\n", encoding="utf-8")


class Gated:
    """A compiler that tells its caller's process id and goes on when the gate is opened."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.started, self.gate, self.waiting = (directory / name for name in ("started", "gate", "waiting"))
        for fifo in (self.started, self.gate, self.waiting):
            os.mkfifo(fifo)
        self.compiler = stand_in_compiler.Compiler(directory / "bin")
        self.compiler.does(f'echo $PPID > "{self.started}"; read line < "{self.gate}"; echo library > "$2"')

    def caller(self) -> int:
        """Wait until it runs; return who called it."""
        return int(self.started.read_text(encoding="utf-8"))

    def open(self) -> None:
        """Let the one that runs go on."""
        self.gate.write_text("go\n", encoding="utf-8")

    @contextlib.contextmanager
    def builder(
        self, processes: neuron_processes.Parent, directory: pathlib.Path, told: pathlib.Path | None = None
    ) -> Iterator[neuron_processes.Process[pathlib.Path]]:
        """A process that builds with it."""
        with processes.start({"PATH": self.compiler.path, "CXX": ""}, built, directory, told) as process:
            yield process


@pytest.fixture
def gated(tmp_path: pathlib.Path) -> Gated:
    return Gated(tmp_path)


def test_extension_is_built_by_one_of_two_processes_and_the_other_waits(
    processes: neuron_processes.Parent, gated: Gated, tmp_path: pathlib.Path
) -> None:
    with gated.builder(processes, tmp_path) as first:
        gated.caller()
        with gated.builder(processes, tmp_path, gated.waiting) as second:
            gated.waiting.read_text(encoding="utf-8")
            gated.open()
            found = {first.outcome().value, second.outcome().value}
    assert found == {tmp_path / "key" / extension.LIBRARY}
    assert gated.compiler.calls == 1
    assert {path.name for path in (tmp_path / "key").iterdir()} == {extension.LIBRARY}


def test_extension_of_a_killed_builder_is_built_by_the_one_that_waits(
    processes: neuron_processes.Parent, gated: Gated, tmp_path: pathlib.Path
) -> None:
    with gated.builder(processes, tmp_path) as killed:
        victim = gated.caller()
        with gated.builder(processes, tmp_path, gated.waiting) as second:
            gated.waiting.read_text(encoding="utf-8")
            gated.compiler.does('echo "library of the second" > "$2"')
            os.kill(victim, signal.SIGKILL)
            found = second.outcome().value
        gated.open()  # the killed one's compiler, whose directory is gone
        with pytest.raises(AssertionError, match="died without an answer"):
            killed.outcome()
    assert found.read_text(encoding="utf-8") == "library of the second\n"
    assert {path.name for path in (tmp_path / "key").iterdir()} == {extension.LIBRARY}


def test_extension_build_interrupted_from_the_keyboard_leaves_nothing(
    processes: neuron_processes.Parent, gated: Gated, tmp_path: pathlib.Path
) -> None:
    with gated.builder(processes, tmp_path) as process:
        os.kill(gated.caller(), signal.SIGINT)
        with pytest.raises(neuron_processes.ScenarioFailed, match="KeyboardInterrupt"):
            process.outcome()
    assert list((tmp_path / "key").iterdir()) == []


def test_extension_is_not_built_by_the_one_that_waits_when_the_first_fails(
    processes: neuron_processes.Parent, gated: Gated, tmp_path: pathlib.Path
) -> None:
    gated.compiler.does(f'echo $PPID > "{gated.started}"; read line < "{gated.gate}"; exit 1')
    with gated.builder(processes, tmp_path) as first:
        gated.caller()
        with gated.builder(processes, tmp_path, gated.waiting) as second:
            gated.waiting.read_text(encoding="utf-8")
            gated.open()
            with pytest.raises(neuron_processes.ScenarioFailed, match=r"could not build .*test:\nit said nothing"):
                first.outcome()
            with pytest.raises(neuron_processes.ScenarioFailed, match=r"could not build .* before: what it said is in"):
                second.outcome()
    assert gated.compiler.calls == 1


def test_extension_cache_of_somebody_else_names_the_settings(
    processes: neuron_processes.Parent, tmp_path: pathlib.Path
) -> None:
    compiler = stand_in_compiler.Compiler(tmp_path / "bin")
    said = processes.run({"PATH": compiler.path}, built_as_nobody, tmp_path)
    assert "Permission denied" in said
    assert f"Set {environment.CACHE_ENV} to a writable directory, or {environment.LIBRARY_ENV} to a library" in said
    assert compiler.calls == 0
