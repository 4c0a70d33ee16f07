"""Own writes that the cache does not show yet.

Law: what was read through ``overlay`` is never older than what this process wrote, so nobody acts twice on one key. The
overlay never brings back an object that the cache has seen go.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from neuronspan_agent import resources

T = TypeVar("T")

_LIFETIME_SECONDS = 300.0
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
        self._written: dict[str, _Written[T]] = {}

    def __len__(self) -> int:
        return len(self._written)

    def expect(self, key: str, before: str, value: T) -> None:
        """Note that the object had resourceVersion ``before`` and is ``value`` now."""
        expires = self._clock() + _LIFETIME_SECONDS
        self._written[key] = _Written(value, self._version_of(value), before, expires)

    def overlay(self, items: Mapping[str, T]) -> dict[str, T]:
        """Return the cache's items, with own writes in place of older ones; forget what the cache shows by now."""
        result = dict(items)
        for key, written in list(self._written.items()):
            if key not in items or written.expires <= self._clock():
                del self._written[key]
            elif resources.is_older(self._version_of(items[key]), written.version, written.before):
                result[key] = written.value
            else:
                del self._written[key]
        return result
