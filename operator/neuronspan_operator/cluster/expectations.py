"""Own writes that the cache does not show yet.

Law: what was read through ``newest`` or ``overlay`` is never older than what this process wrote, so nobody acts twice
on one key. Neither ever brings back an object that the cache has seen go.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from neuronspan_agent import resources

T = TypeVar("T")

LIFETIME_SECONDS = 300.0
"""A cache this far behind is not late but wrong (etcd restored from a backup): then the API server's 409 decides."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Written(Generic[T]):
    value: T
    version: str
    before: str
    expires: float


class Expectations(Generic[T]):
    """The newest own write per key, until the cache has caught up with it.

    ``version_of`` gives the resourceVersion of a value; ``clock`` gives seconds that never go back.
    """

    def __init__(self, version_of: Callable[[T], str], clock: Callable[[], float]) -> None:
        self._version_of = version_of
        self._clock = clock
        self._written: dict[str, _Written[T]] = {}  # the one that expires first comes first

    def __len__(self) -> int:
        return len(self._written)

    def expect(self, key: str, before: str, value: T) -> None:
        """Note that the object had resourceVersion ``before`` and is ``value`` now."""
        expires = self._clock() + LIFETIME_SECONDS
        self._written.pop(key, None)
        self._written[key] = _Written(value, self._version_of(value), before, expires)

    def newest(self, key: str, cached: T | None) -> T | None:
        """Return the own write of a key, or what the cache has when that is not older; forget what it shows by now."""
        written = self._written.get(key)
        if written is None:
            return cached
        if cached is None or not resources.is_older(self._version_of(cached), written.version, written.before):
            del self._written[key]
            return cached
        return cached if written.expires <= self._clock() else written.value

    def overlay(self, items: Mapping[str, T]) -> dict[str, T]:
        """Return the cache's items, with own writes in place of older ones."""
        result = dict(items)
        for key in tuple(self._written):
            newest = self.newest(key, items.get(key))
            if newest is not None:
                result[key] = newest
        return result

    def expired(self) -> Iterator[str]:
        """Yield each key whose cache never caught up with the write, once: from now on what the cache says counts."""
        now = self._clock()
        while self._written and (first := next(iter(self._written.items())))[1].expires <= now:
            del self._written[first[0]]
            yield first[0]
