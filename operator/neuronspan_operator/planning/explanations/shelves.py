"""Names under keys: kept sorted, each name under one key at a time. Pure."""

import bisect
import itertools
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Shelf(Generic[K]):
    """The names under one key, ascending; never empty once it is in use."""

    __slots__ = ("key", "names")

    def __init__(self, key: K) -> None:
        self.key = key
        self.names: list[str] = []


class Shelves(Generic[K]):
    """All shelves. To move a name costs no more with many names than with few, but for the search and a short copy."""

    def __init__(self) -> None:
        self._shelves: dict[K, Shelf[K]] = {}
        self._shelf_of: dict[str, Shelf[K]] = {}  # equal keys are kept once

    def __iter__(self) -> Iterator[Shelf[K]]:
        return iter(self._shelves.values())

    def key_of(self, name: str) -> K | None:
        """Return what the name is under, None when it is nowhere."""
        shelf = self._shelf_of.get(name)
        return None if shelf is None else shelf.key

    def put(self, name: str, key: K) -> None:
        """Put the name under the key, and nowhere else."""
        shelf = self._shelf_of.get(name)
        if shelf is not None and shelf.key == key:
            return
        self.drop(name)
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = Shelf(key)
        bisect.insort(shelf.names, name)
        self._shelf_of[name] = shelf

    def drop(self, name: str) -> None:
        """Take the name away, wherever it is."""
        shelf = self._shelf_of.pop(name, None)
        if shelf is None:
            return
        del shelf.names[bisect.bisect_left(shelf.names, name)]
        if not shelf.names:
            del self._shelves[shelf.key]


def count(shelves: "Iterable[Shelf[K]]") -> int:
    """Return how many names there are on these shelves."""
    return sum(len(shelf.names) for shelf in shelves)


def first(shelves: "Iterable[Shelf[K]]", most: int) -> list[str]:
    """Return the first names of all these shelves together, ascending."""
    return sorted(itertools.chain.from_iterable(shelf.names[:most] for shelf in shelves))[:most]
