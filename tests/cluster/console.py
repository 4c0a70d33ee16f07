"""What the user sees: one line per step and, in long steps, a line now and then with the time spent."""

import sys
import time
from collections.abc import Callable
from typing import Self


def say(text: str) -> None:
    """Print one line at once, also into a pipe."""
    sys.stderr.write(f"cluster: {text}\n")
    sys.stderr.flush()


def elapsed(seconds: float) -> str:
    """Seconds as a person writes them: `7 s`, `3 min 05 s`."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Step:
    """One named step with its own clock; `with` prints its end, unless it fails."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._clock = clock
        self._start = clock()

    def __enter__(self) -> Self:
        say(f"{self.name} ...")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            say(f"{self.name}: done in {elapsed(self.seconds)}")

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return self._clock() - self._start

    def progress(self, text: str) -> None:
        """Say where the step is."""
        say(f"{self.name}: {text} ({elapsed(self.seconds)})")
