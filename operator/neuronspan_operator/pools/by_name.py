"""A mapping that is always in the order of its names: the first few of many are at hand without sorting. Pure."""

import bisect
from collections.abc import Iterator, MutableMapping
from typing import TypeVar

T = TypeVar("T")


class ByName(MutableMapping[str, T]):
    """Names and values; to put one in or take one out costs no comparison with all others."""

    def __init__(self) -> None:
        self._values: dict[str, T] = {}
        self._names: list[str] = []  # ascending

    def __getitem__(self, name: str) -> T:
        return self._values[name]

    def __setitem__(self, name: str, value: T) -> None:
        if name not in self._values:
            bisect.insort(self._names, name)
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._values[name]
        del self._names[bisect.bisect_left(self._names, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
