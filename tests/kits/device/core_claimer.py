"""Processes that own NeuronCores: each claims once by its environment, says what it got, and keeps it until told to go.

No torch: the real ownership code in a process of its own, ready in a tenth of a second.
"""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from neuronspan import spans
from neuronspan_runtime import environment, errors
from neuronspan_runtime.cores import hardware, ownership, selection


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a claimer got."""

    span: spans.CoreSpan | None
    refused: tuple[str, ...] = ()
    """The log lines of the refusal."""
    error: str = ""
    """The text of the error."""


class Claimer:
    """One process; it starts to claim when it is told to, so that several can race."""

    def __init__(self, variables: Mapping[str, str], *descriptors: int) -> None:
        """Start it; it has these open descriptors of ours, too."""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kits.device.core_claimer"],
            env={"PYTHONPATH": os.pathsep.join(sys.path), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def begin(self, rounds: int = 1) -> None:
        """Let it claim; with more rounds it gives the cores back in between and stops at the first refusal."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{rounds}\n")
        self.process.stdin.flush()

    def answer(self) -> Answer:
        """Wait for what it got."""
        assert self.process.stdout is not None
        raw: dict[str, Any] = json.loads(self.process.stdout.readline())
        span = None if raw["span"] is None else spans.CoreSpan.parse(raw["span"])
        return Answer(span, tuple(raw["refused"]), raw["error"])

    def claim(self) -> Answer:
        """Let it claim and wait for what it got."""
        self.begin()
        return self.answer()

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill it and wait until it is gone."""
        self.process.send_signal(how)
        self.process.communicate()


@contextlib.contextmanager
def claimers(number: int, variables: Mapping[str, str]) -> Iterator[list[Claimer]]:
    """Start several alike; all are gone afterwards."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Claimer(variables)) for _ in range(number)]


def main() -> None:
    """Wait for the word, claim by the environment, answer, and stay."""
    settings = environment.read()
    rounds = int(sys.stdin.readline())
    try:
        machine = hardware.find(settings)
        asked = selection.wish(settings, machine.hardware, machine.scope)
        for _ in range(rounds - 1):
            ownership.claim(machine, asked).release()
        claim = ownership.claim(machine, asked)
        answer: dict[str, Any] = {"span": str(claim.span), "refused": [], "error": ""}
    except errors.StartRefused as refused:
        answer = {"span": None, "refused": refused.lines, "error": str(refused)}
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
