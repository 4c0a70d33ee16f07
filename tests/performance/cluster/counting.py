"""What processes and API server do for some pods, until all is quiet, without what it costs to ask whether it is.

Each look at the API server's counters costs it time of its own, and a slow tail of Events takes many looks. What one
costs is measured afterwards, at rest, and taken off again, and with it what the processes do at any time.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping

from performance.cluster import api_calls, figures

_PAUSE_SECONDS = 1.0
_LOOKS_AT_REST = 5
_PATIENCE_SECONDS = 600.0


class NoRestError(Exception):
    """The API server is written to for ever; the message says what was written."""


@dataclasses.dataclass(frozen=True)
class Counting:
    """Counts by ``writes``, calls to the API server so far, and ``processor_seconds`` of each process so far."""

    writes: Callable[[], Mapping[str, float]]
    processor_seconds: Callable[[], Mapping[str, float]]

    def counted(self, work: Callable[[], figures.Run]) -> figures.Run:
        """Return what the work gives, with what it took; raises NoRestError."""
        calls, before = self.writes(), self.processor_seconds()
        run = work()
        bound = self.processor_seconds()
        written, looks = self._rest()
        after, of_look = self.processor_seconds(), self._seconds_of_look()
        return dataclasses.replace(
            run,
            processor_seconds=figures.spent(before, after, looks, of_look),
            tail_seconds=figures.spent(bound, after, looks, of_look),
            writes=api_calls.difference(calls, written),
        )

    def _rest(self) -> tuple[Mapping[str, float], int]:
        """Wait until nothing is written any more; return what was written so far, and how many looks that took."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        last, now, looks = None, self._look(), 1
        while now != last:
            if time.monotonic() > deadline:
                raise NoRestError(f"the API server is still written to after {_PATIENCE_SECONDS:g} s: {now}")
            last, now, looks = now, self._look(), looks + 1
        return now, looks

    def _look(self) -> Mapping[str, float]:
        """Return what was written so far, and pause: what processes still do is seen in these counters alone."""
        found = self.writes()
        time.sleep(_PAUSE_SECONDS)
        return found

    def _seconds_of_look(self) -> Mapping[str, float]:
        """Return the CPU time of each process for one look and the pause behind it, at rest."""
        before = self.processor_seconds()
        for _ in range(_LOOKS_AT_REST):
            self._look()
        after = self.processor_seconds()
        return {name: (after[name] - before[name]) / _LOOKS_AT_REST for name in after}
