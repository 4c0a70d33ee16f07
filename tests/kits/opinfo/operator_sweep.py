"""Runs checks over the whole database in a few processes; an operator that kills its process is named, not fatal.

Each worker is forked from a process that has everything imported and has not used the device. It says which operator it
begins and what came of it; when it dies, or says nothing for too long, another one takes over behind that operator.
"""

import contextlib
import dataclasses
import json
import os
import select
import signal
import socket
import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch

from kits.opinfo import hidden_keys, operator_checks, operator_database

WORKERS = 2
MOST_SECONDS = 120
"""How long one operator may take."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one check of one operator."""

    problem: str = ""
    """Why it failed; empty when the device did what the CPU does."""
    exact: bool = False
    """Every value was the CPU's to the bit."""
    crashed: bool = False
    """The process died or hung."""
    done: bool = True
    """False: the operator has no such form."""
    samples: int = 0
    """How many calls were compared, where the check counts them."""


Found = dict[str, dict[str, Outcome]]
"""check -> operator -> what came of it"""

CHECKS = operator_checks.CHECKS


def sweep(checks: Sequence[str], undefined: Collection[str], only: Sequence[str] = ()) -> Found:
    """Check every operator.

    The values of the operators in `undefined` are not compared. `only` restricts the sweep to some operators.
    """
    warnings.simplefilter("ignore")  # torch calls its own deprecated operators too
    entries = operator_database.operators()
    names = [name for name in entries if not only or name in only]
    tasks = [(check, name) for name in names for check in checks]
    shares = [_Share(tasks[start::WORKERS], entries, undefined) for start in range(WORKERS)]
    found: Found = {check: {} for check in checks}
    while busy := [share for share in shares if share.begin()]:
        ready, _, _ = select.select([share.stream for share in busy], [], [], MOST_SECONDS)
        for share in busy:
            if share.stream in ready or not ready:
                for (check, name), outcome in share.advance(hung=not ready):
                    found[check][name] = outcome
    return found


class _Share:
    """The tasks of one worker, and the process that is now doing them."""

    def __init__(self, tasks: Sequence[tuple[str, str]], entries: dict[str, Any], undefined: Collection[str]) -> None:
        self._todo = list(tasks)
        self._entries = entries
        self._undefined = undefined
        self._pid: int | None = None
        self.stream: socket.socket

    def begin(self) -> bool:
        """Start a process if there is work and none; return whether there is work."""
        if self._pid is None and self._todo:
            self.stream, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._pid = os.fork()
            if self._pid == 0:
                with contextlib.suppress(BrokenPipeError):
                    _work(theirs, self._todo, self._entries, self._undefined)
                os._exit(0)
            theirs.close()
        return self._pid is not None

    def advance(self, *, hung: bool) -> Iterator[tuple[tuple[str, str], Outcome]]:
        """Take one answer, or the end of the process."""
        assert self._pid is not None
        if hung:
            os.kill(self._pid, signal.SIGKILL)
        answer = b"" if hung else self.stream.recv(1 << 16)
        if answer:
            yield self._todo.pop(0), Outcome(**json.loads(answer))
            return
        self.stream.close()
        _, status = os.waitpid(self._pid, 0)
        self._pid = None
        if self._todo:
            how = "took too long" if hung else f"ended with {os.waitstatus_to_exitcode(status)}"
            yield self._todo.pop(0), Outcome(problem=f"the process {how}", crashed=True)


def _work(
    answers: socket.socket, tasks: Sequence[tuple[str, str]], entries: dict[str, Any], undefined: Collection[str]
) -> None:
    torch.set_num_threads(1)
    for check, name in tasks:
        outcome = _outcome(check, entries[name], values=name not in undefined)
        answers.send(json.dumps(dataclasses.asdict(outcome)).encode())


def _outcome(check: str, entry: Any, *, values: bool) -> Outcome:
    try:
        compared = (CHECKS.get(check) or hidden_keys.CHECKS[check])(entry, values=values)
    except Exception as error:  # noqa: BLE001 - an error of the check itself is a problem of this operator
        return Outcome(problem=f"the check raised {type(error).__name__}: {str(error)[:500]}")
    if compared is None:
        return Outcome(done=False)
    return Outcome("; ".join(compared.differences)[:2000], compared.exact, samples=compared.samples)
