"""Runs processes of the stress run in parallel, kills them at random, and watches the kernel's locks meanwhile."""

import collections
import contextlib
import dataclasses
import itertools
import os
import pathlib
import random
import select
import signal
import threading
import time
from collections.abc import Iterator, Mapping

from kits.device import neuron_processes
from stress import journal, worker

PATIENCE_SECONDS = 240.0
"""A process that is still there so long after it should have ended hangs."""
SNAPSHOT_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much stress."""

    seconds: float
    processes: int = 4
    threads: int = 8
    longest_life: float = 8.0


class Run:
    """What happened."""

    def __init__(self, parent: neuron_processes.Parent, machine: Mapping[str, str], models: pathlib.Path) -> None:
        self._parent = parent
        self._machine = machine
        self._models = models
        self._numbers = itertools.count()
        self.killed = 0
        self.ended = 0
        self.failures: list[str] = []
        self.snapshots: list[journal.Snapshot] = []

    def stress(self, plan: Plan, directory: pathlib.Path) -> None:
        """Run it; every process that is started has a journal in the directory."""
        end = time.monotonic() + plan.seconds
        slots = [
            threading.Thread(target=self._slot, args=(plan, directory, end, random.Random(number)))  # noqa: S311 - no secret
            for number in range(plan.processes)
        ]
        with self._observed():
            for slot in slots:
                slot.start()
            for slot in slots:
                slot.join()

    def _slot(self, plan: Plan, directory: pathlib.Path, end: float, chance: random.Random) -> None:
        """Run one process after the other."""
        while time.monotonic() < end and not self.failures:
            try:
                self._live(plan, directory / f"{next(self._numbers)}.jsonl", chance)
            except Exception as error:  # noqa: BLE001 - the other slots end, and the test fails with it
                self.failures.append(f"{type(error).__name__}: {error}")

    def _live(self, plan: Plan, path: pathlib.Path, chance: random.Random) -> None:
        born = path.with_suffix(".born")
        os.mkfifo(born)
        seconds = chance.uniform(0.1, plan.longest_life)
        deadline = chance.uniform(0, seconds) if chance.random() < 0.7 else None
        orders = worker.Orders(self._models, path, born, chance.getrandbits(32), seconds, plan.threads)
        with self._parent.start(self._machine, worker.live, orders) as process:
            pid = int(born.read_text(encoding="utf-8"))
            if deadline is not None and not _answers(process, deadline):
                os.kill(pid, signal.SIGKILL)
                neuron_processes.wait_gone(pid)
                self.killed += 1
                return
            if not _answers(process, seconds + PATIENCE_SECONDS):
                os.kill(pid, signal.SIGABRT)  # it writes down where its threads are
                neuron_processes.wait_gone(pid)
                trace = path.with_suffix(".trace").read_text(encoding="utf-8")
                raise AssertionError(f"process {pid} hangs:\n{trace}")
            process.outcome()
            self.ended += 1

    @contextlib.contextmanager
    def _observed(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._observe, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _observe(self, stop: threading.Event) -> None:
        locks = pathlib.Path(self._machine["NEURONSPAN_STATE_DIR"], "cores")
        while not stop.wait(SNAPSHOT_SECONDS):
            begin = time.monotonic_ns()
            held = kernel_locks()
            end = time.monotonic_ns()
            files = {path.stat().st_ino: int(path.stem) for path in locks.glob("*.lock")} if locks.is_dir() else {}
            holders = {files[inode]: pid for inode, pid in held.items() if inode in files}
            self.snapshots.append(journal.Snapshot(begin, end, holders))


def kernel_locks() -> dict[int, int]:
    """Return who holds which lock of the machine: process id by inode; those that wait are left out."""
    found = {}
    for line in pathlib.Path("/proc/locks").read_text(encoding="utf-8").splitlines():
        _, kind, *rest = line.split()
        if kind == "FLOCK":
            found[int(rest[3].rpartition(":")[2])] = int(rest[2])
    return found


def _answers(process: neuron_processes.Process[int], seconds: float) -> bool:
    """Wait so long for the end of the scenario; tell whether it came."""
    return bool(select.select([process._channel], [], [], seconds)[0])


@dataclasses.dataclass(frozen=True)
class Findings:
    """What the journals and the snapshots say together."""

    counts: collections.Counter[str]
    operations: int
    intervals: int
    conflicts: list[str]
    compared: int
    contradictions: list[str]
    complaints: list[str]


def findings(directory: pathlib.Path, snapshots: list[journal.Snapshot]) -> Findings:
    """Read all journals."""
    counts: collections.Counter[str] = collections.Counter()
    intervals: list[journal.Interval] = []
    complaints: list[str] = []
    operations = 0
    for path in directory.glob("*.jsonl"):
        lines = journal.lines_of(path)
        counts += journal.counted(lines)
        operations += sum(line["event"] == "did" for line in lines)
        intervals += journal.intervals_of(lines)
        complaints += [f"{path.name}: {line}" for line in lines if line["event"] in {"failed", "hung"}]
    compared, contradicting = journal.contradictions(intervals, snapshots)
    twice = [f"{one} and {other}" for one, other in journal.conflicts(intervals)]
    return Findings(counts, operations, len(intervals), twice, compared, contradicting, complaints)
