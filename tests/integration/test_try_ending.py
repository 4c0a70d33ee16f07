"""Whenever `neuronspan try` is ended from outside, no process and no directory of it is left."""

import contextlib
import os
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

import pytest

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {neuronspan.dev/cores: "2"}}
    spec:
      containers:
        - name: app
          image: busybox
          command: [sh, -c, 'sleep 1000 & trap "" TERM; echo serves; wait; sleep 1000']
"""
MODEL = "{apiVersion: v1, kind: Pod, metadata: {name: m}, spec: {containers: [{name: app, image: neuronspan/runtime}]}}"
PATIENCE = 200.0

pytestmark = pytest.mark.timeout(300)  # several clusters begin and end, beside whatever else the machine does
STAGES = {
    "building the library": ("looking for the runtime's C++ library", MODEL, ()),
    "starting": ("starting API server", MANIFEST, ()),
    "nodes are there": ("node w1 is a", MANIFEST, ()),
    "a container runs": ("web-", MANIFEST, ()),
    "a container prints": ("serves", MANIFEST, ()),
    "kept": ("export KUBECONFIG=", MANIFEST, ("--keep", "--seconds", "1")),
}


class Trial:
    """The command as a process of its own; ``lines`` are what it has printed."""

    def __init__(self, directory: pathlib.Path, manifest: str, *flags: str) -> None:
        self.directory = directory
        path = directory / "pods.yaml"
        path.write_text(manifest)
        paths = os.pathsep.join(each for each in sys.path if each)
        self.environment = {"PATH": os.defpath, "PYTHONPATH": paths, "HOME": str(directory), "TMPDIR": str(directory)}
        arguments = [sys.executable, "-m", "neuronspan_embedded", "try", str(path), "--nodes", "inf2.xlarge", *flags]
        self.running = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment, cwd=directory
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.printed: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, words: str) -> None:
        """Wait until a line has these words."""
        end = time.monotonic() + PATIENCE
        while (line := self._lines.get(timeout=max(0.0, end - time.monotonic()))) is not None:
            self.printed.append(line)
            if words in line:
                return
        raise AssertionError(f"it ended without {words!r}: {''.join(self.printed)}")

    def ended(self) -> int:
        """Wait for the end, and return the exit status."""
        return self.running.wait(PATIENCE)

    def left(self) -> dict[str, list[str]]:
        """Return processes and directories that are left of it."""
        mark = os.fsencode(f"TMPDIR={self.directory}")
        processes = []
        for each in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (each / "environ").read_bytes().split(b"\0"):
                    processes.append((each / "cmdline").read_text().replace("\0", " "))
        return {"processes": processes, "directories": [each.name for each in self.directory.glob("ns-*")]}

    def _read(self) -> None:
        assert self.running.stdout is not None
        with self.running.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)


@pytest.fixture
def directory() -> Iterator[pathlib.Path]:
    """A directory with a short path: sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="try ", dir="/tmp") as made:
        yield pathlib.Path(made)


NOTHING: dict[str, list[str]] = {"processes": [], "directories": []}


@pytest.mark.parametrize(("words", "manifest", "flags"), STAGES.values(), ids=STAGES.keys())
def test_try_leaves_nothing_behind_when_it_is_ended_at_any_stage(
    directory: pathlib.Path, words: str, manifest: str, flags: tuple[str, ...]
) -> None:
    trial = Trial(directory, manifest, *flags)
    try:
        trial.until(words)
        trial.running.terminate()
        code = trial.ended()
        assert code == (0 if "--keep" in flags else 128 + signal.SIGTERM), "".join(trial.printed)
        assert trial.left() == NOTHING
    finally:
        trial.running.kill()


def test_try_leaves_nothing_behind_when_its_terminal_is_closed(directory: pathlib.Path) -> None:
    trial = Trial(directory, MANIFEST)
    try:
        trial.until("serves")
        trial.running.send_signal(signal.SIGHUP)
        assert trial.ended() == 128 + signal.SIGHUP
        assert trial.left() == NOTHING
    finally:
        trial.running.kill()


def test_try_leaves_nothing_behind_when_it_is_asked_to_end_again_and_again(directory: pathlib.Path) -> None:
    trial = Trial(directory, MANIFEST)
    try:
        trial.until("serves")
        while trial.running.poll() is None:
            trial.running.send_signal(signal.SIGINT)
            time.sleep(0.05)  # as fast as somebody can press a key, and no faster than Python takes signals
        assert trial.ended() == 128 + signal.SIGINT
        assert trial.left() == NOTHING
    finally:
        trial.running.kill()


def test_kubectl_neuron_reaches_a_cluster_that_is_kept(directory: pathlib.Path) -> None:
    trial = Trial(directory, MANIFEST, "--keep", "--seconds", "1")
    try:
        trial.until("serves")
        trial.until("export KUBECONFIG=")
        kubeconfig = trial.printed[-1].partition("KUBECONFIG=")[2].strip()
        program = "from neuronspan_operator.cli import commands; commands.main()"
        environment = {**trial.environment, "KUBECONFIG": kubeconfig}
        shown = subprocess.run(
            [sys.executable, "-c", program, "map"], capture_output=True, text=True, check=False, env=environment
        )
        assert shown.returncode == 0, shown.stderr
        assert "0 of 2 cores free" in shown.stdout
        trial.running.send_signal(signal.SIGINT)
        assert trial.ended() == 0
        assert trial.left() == NOTHING
    finally:
        trial.running.kill()


def test_two_trials_at_once_do_not_know_each_other(directory: pathlib.Path) -> None:
    (directory / "b").mkdir()
    trials = [Trial(each, MANIFEST, "--seconds", "20") for each in (directory, directory / "b")]
    for each in trials:
        each.until("serves")
    assert [each.ended() for each in trials] == [0, 0]
    assert [each.left() for each in trials] == [NOTHING, NOTHING]
