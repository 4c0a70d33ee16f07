"""How long to leave something alone that keeps failing.

Law: the delay doubles with every failure in a row up to a limit, and a success clears it.
"""

import dataclasses
from collections.abc import Callable, Collection


@dataclasses.dataclass(frozen=True, slots=True)
class Delays:
    """Seconds: the first delay, and the longest."""

    first: float = 1.0
    """What passes by itself (a leader change of etcd, an API server restart) is over within seconds."""
    longest: float = 60.0
    """What cannot succeed costs one call a minute, and a repair shows within one."""

    def after(self, failures: int) -> float:
        """Delay after this many failures in a row."""
        return float(min(self.longest, self.first * 2.0 ** min(failures - 1, 32)))  # 2^32 s is past every limit


@dataclasses.dataclass(frozen=True, slots=True)
class _Failing:
    failures: int
    until: float


class Backoff:
    """Failures per key; ``clock`` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float], delays: Delays | None = None) -> None:
        self._clock = clock
        self._delays = delays or Delays()
        self._failing: dict[str, _Failing] = {}

    def failed(self, key: str) -> float:
        """Note one more failure; returns the delay in seconds."""
        failures = self._failing[key].failures + 1 if key in self._failing else 1
        delay = self._delays.after(failures)
        self._failing[key] = _Failing(failures, self._clock() + delay)
        return delay

    def succeeded(self, key: str) -> None:
        """Note a success."""
        self._failing.pop(key, None)

    def holds(self, key: str) -> bool:
        """Whether the key is to be left alone now."""
        return key in self._failing and self._failing[key].until > self._clock()

    def remaining(self, key: str) -> float:
        """Seconds until the key may be tried again, 0 when it may be now."""
        return max(0.0, self._failing[key].until - self._clock()) if key in self._failing else 0.0

    def next_release(self) -> float | None:
        """Seconds until the first held key may be tried again; None when none is held."""
        waits = [each.until - self._clock() for each in self._failing.values()]
        return min((wait for wait in waits if wait > 0), default=None)

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget keys that are not among these: their objects are gone."""
        for key in self._failing.keys() - set(keys):
            del self._failing[key]
