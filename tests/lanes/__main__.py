"""Run the lanes: `python -m lanes NAME="words for pytest" ...`.

What the first lane says is shown at once; what the others say is kept in build/lanes/ and shown when it has ended.
"""

import contextlib
import pathlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from lanes import closings

DIRECTORY = pathlib.Path("build/lanes")


class Lane:
    """One pytest run."""

    def __init__(self, name: str, words: Sequence[str], *, shown: bool) -> None:
        self.name = name
        self._log = DIRECTORY / f"{name}.log"
        self._shown = shown
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if shown else log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C comes from us alone: a second one would cut fixtures short
            )

    def wait(self) -> int:
        """Wait for the end, and show what was not shown yet; the exit status."""
        if self._shown:
            self._copy()
        status = self._process.wait()
        if not self._shown:
            print(f"\n----- {self.name}\n{self.output}", flush=True)
        return status

    def interrupt(self) -> None:
        """Let pytest take its fixtures down."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    @property
    def output(self) -> str:
        """All that was said so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _copy(self) -> None:
        assert self._process.stdout is not None
        with self._log.open("wb") as log:
            while part := self._process.stdout.read1():  # type: ignore[attr-defined]  # a buffered reader
                sys.stdout.buffer.write(part)
                sys.stdout.flush()
                log.write(part)


def main(words: Sequence[str]) -> int:
    """Run every lane to its end; 0 only when all passed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    named = [word.split("=", maxsplit=1) for word in words]
    lanes = [Lane(name, shlex.split(run), shown=index == 0) for index, (name, run) in enumerate(named)]
    for lane in lanes[1:]:
        print(f"beside this: {lane.name}, in {DIRECTORY / lane.name}.log", flush=True)
    try:
        statuses = [lane.wait() for lane in lanes]
    except KeyboardInterrupt:
        for lane in lanes:
            lane.interrupt()
        statuses = [lane.wait() for lane in lanes]
    return _verdict(lanes, statuses, time.monotonic() - began)


def _verdict(lanes: Sequence[Lane], statuses: Sequence[int], seconds: float) -> int:
    counts = []
    for lane, status in zip(lanes, statuses, strict=True):
        try:
            counts.append(closings.parse(lane.output))
        except closings.NoClosingError:
            print(f"{lane.name} ended with {status} before it came to its closing line")
            return status or 1
        if not counts[-1].ran:
            print(f"{lane.name} ran no test")
            return status or 1
    print(closings.line(closings.total(counts), seconds), flush=True)
    return max(statuses, key=abs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
