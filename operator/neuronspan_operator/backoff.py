"""How long to leave something alone that keeps failing.

Law: the delay doubles with every failure in a row up to a limit, and a success clears it.
"""

import dataclasses
from collections.abc import Callable, Collection


@dataclasses.dataclass(frozen=True, slots=True)
class Delays:
    """Seconds: the first delay, and the longest."""

    first: float = 1.0
    """Passing troubles (a leader change of etcd, an API server restart) are over within seconds."""
    longest: float = 60.0
    """What cannot succeed costs one call a minute, and a repair shows within one."""

    def after(self, failures: int) -> float:
        """Delay after this many failures in a row."""
        return float(min(self.longest, self.first * 2.0 ** min(failures - 1, 32)))  # 2^32 s is past every limit


@dataclasses.dataclass(frozen=True, slots=True)
class _Trouble:
    failures: int
    until: float


class Backoff:
    """Failures per key; ``clock`` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float], delays: Delays | None = None) -> None:
        self._clock = clock
        self._delays = delays or Delays()
        self._troubles: dict[str, _Trouble] = {}

    def failed(self, key: str) -> float:
        """Note one more failure; gives the delay in seconds."""
        failures = self._troubles[key].failures + 1 if key in self._troubles else 1
        delay = self._delays.after(failures)
        self._troubles[key] = _Trouble(failures, self._clock() + delay)
        return delay

    def succeeded(self, key: str) -> None:
        """Note a success."""
        self._troubles.pop(key, None)

    def holds(self, key: str) -> bool:
        """Whether the key is to be left alone now."""
        return key in self._troubles and self._troubles[key].until > self._clock()

    def remaining(self, key: str) -> float:
        """Seconds until the key may be tried again, 0 when it may be now."""
        return max(0.0, self._troubles[key].until - self._clock()) if key in self._troubles else 0.0

    def next_release(self) -> float | None:
        """Seconds until the first held key may be tried again; None when none is held."""
        waits = [trouble.until - self._clock() for trouble in self._troubles.values()]
        return min((wait for wait in waits if wait > 0), default=None)

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget keys that are not among these: their objects are gone."""
        for key in self._troubles.keys() - set(keys):
            del self._troubles[key]
