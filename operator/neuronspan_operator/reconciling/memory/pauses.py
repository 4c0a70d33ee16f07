"""Back-off that tells what moved: keys that began to fail, that failed again, or whose pause is over.

Law: to ask costs what moved. A key that did not fail again for a long while after its pause is forgotten, whether its
object is still there or not.
"""

import collections
import heapq
from collections.abc import Callable, Collection
from typing import Final

from neuronspan_agent import backoff

KEPT_SECONDS: Final = 600.0
"""After its pause. What still fails is tried again at the end of the pause, so it has failed anew long before."""


class Pauses(backoff.Backoff):
    """Failures per key; ``clock`` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float], delays: backoff.Delays | None = None) -> None:
        super().__init__(clock, delays)
        self._ends: list[tuple[float, str]] = []  # a heap; what failed again or succeeded is in it in vain
        self._over: collections.deque[tuple[float, str]] = collections.deque()  # pauses that are over, oldest first
        self._moved: dict[str, None] = {}

    def failed(self, key: str) -> float:
        """Note one more failure; returns the delay in seconds."""
        delay = super().failed(key)
        heapq.heappush(self._ends, (self._failing[key].until, key))
        self._moved[key] = None
        return delay

    def succeeded(self, key: str) -> None:
        """Note a success."""
        if key in self._failing:
            self._moved[key] = None
        super().succeeded(key)

    def next_release(self) -> float | None:
        """Seconds until the first held key may be tried again; None when none is held."""
        while self._ends and not self._stands(*self._ends[0]):
            heapq.heappop(self._ends)
        return max(0.0, self._ends[0][0] - self._clock()) if self._ends else None

    def moved(self) -> list[str]:
        """Return the keys that failed, succeeded, or may be tried again since this was asked before."""
        now = self._clock()
        while self._ends and self._ends[0][0] <= now:
            until, key = heapq.heappop(self._ends)
            if self._stands(until, key):
                self._moved[key] = None
                self._over.append((until, key))
        found, self._moved = list(self._moved), {}
        return found

    def forget_old(self) -> None:
        """Forget what has not failed again for long."""
        oldest = self._clock() - KEPT_SECONDS
        while self._over and self._over[0][0] < oldest:
            until, key = self._over.popleft()
            if self._stands(until, key):
                del self._failing[key]

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget keys that are not among these, and what is left of their pauses."""
        super().keep_only(keys)
        self._over = collections.deque(each for each in self._over if self._stands(*each))

    def _stands(self, until: float, key: str) -> bool:
        return key in self._failing and self._failing[key].until == until
