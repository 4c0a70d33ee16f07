"""One kind of objects: its cache, the own writes over it, and which keys may have changed since somebody asked.

Law: what is asked for is read at that moment, so it is never older than what this process wrote; and whatever may
have changed since the same reader asked before is in the answer. To ask costs what changed, never what there is.
"""

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from neuronspan_agent import mirror
from neuronspan_operator.cluster import expectations

T = TypeVar("T")


@dataclasses.dataclass(slots=True)
class Layers(Generic[T]):
    """A kind; ``own`` is None when this process writes none of it. Keys are noted for who has asked for all once."""

    cache: mirror.Mirror[T]
    own: expectations.Expectations[T] | None = None
    _unread: dict[Hashable, dict[str, None]] = dataclasses.field(default_factory=dict)  # by reader, in order

    def touch(self, key: str) -> None:
        """Note that the value of a key may be another one."""
        for keys in self._unread.values():
            keys[key] = None

    def wrote(self, key: str, before: str, value: T) -> None:
        """Take it that an object that had this resourceVersion is ``value`` now."""
        if self.own is not None:
            self.own.expect(key, before, value)
        self.touch(key)

    def newest(self, key: str) -> T | None:
        """Return one object, None when there is none."""
        cached = self.cache.items.get(key)
        return cached if self.own is None else self.own.newest(key, cached)

    def all(self) -> dict[str, T]:
        """Return all objects."""
        return dict(self.cache.items) if self.own is None else self.own.overlay(self.cache.items)

    def touched(self, reader: Hashable) -> Mapping[str, T | None]:
        """Return the objects that may have changed since this reader asked; None for what is not there, first all."""
        if reader not in self._unread:
            return self.restart(reader)
        for key in () if self.own is None else self.own.expired():
            self.touch(key)
        keys, self._unread[reader] = self._unread[reader], {}
        return {key: self.newest(key) for key in keys}

    def restart(self, reader: Hashable) -> dict[str, T]:
        """Return all objects; ``touched`` tells this reader what comes after."""
        self._unread[reader] = {}
        return self.all()
