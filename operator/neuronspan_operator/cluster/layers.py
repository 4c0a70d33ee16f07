"""One kind of objects: its cache, the own writes over it, and which keys may have changed since somebody asked.

Law: what is asked for is read at that moment, so it is never older than what this process wrote; and whatever may
have changed since the question before is in the answer. To ask costs what changed, never what there is.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from neuronspan_agent import mirror
from neuronspan_operator.cluster import expectations

T = TypeVar("T")


@dataclasses.dataclass(slots=True)
class Layers(Generic[T]):
    """A kind; ``own`` is None when this process writes none of it. Keys are noted once somebody asked for all."""

    cache: mirror.Mirror[T]
    own: expectations.Expectations[T] | None = None
    _touched: dict[str, None] = dataclasses.field(default_factory=dict)  # in the order of their coming
    _noting: bool = False

    def touch(self, key: str) -> None:
        """Note that the value of a key may be another one."""
        if self._noting:
            self._touched[key] = None

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

    def touched(self) -> Mapping[str, T | None]:
        """Return the objects that may have changed since this or ``restart`` was asked; None for what is not there."""
        for key in () if self.own is None else self.own.expired():
            self.touch(key)
        keys: Iterable[str] = self._touched
        self._touched = {}
        return {key: self.newest(key) for key in keys}

    def restart(self) -> dict[str, T]:
        """Return all objects; ``touched`` tells what comes after."""
        self._noting = True
        self._touched = {}
        return self.all()
