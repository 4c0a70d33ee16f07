"""Nodes with room for one kind of request, best first; and what was asked for last. Pure.

Law: a ranking is what sorting all its nodes anew would give.
"""

import bisect
import collections
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from neuronspan_operator.planning.drafting import placements

Entry = tuple[placements.Score, str, placements.Spans]
"""Score, node, and cores there; a node is in a ranking once, so that comparison ends with its name."""

_V = TypeVar("_V")


class Recent(Generic[_V]):
    """The values that were asked for last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: collections.OrderedDict[Hashable, _V] = collections.OrderedDict()

    def get(self, key: Hashable) -> _V | None:
        """Return a value, None when it is not there any more."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: Hashable, value: _V) -> None:
        """Keep a value, and let go of the one that was asked for longest ago if there are too many."""
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)


class Ranking:
    """Nodes with room for one kind of request, best first, up to a position in the journal."""

    def __init__(self, entries: Iterable[Entry], position: int = 0) -> None:
        self.entries = sorted(entries)
        self.made = position  # what was before is not known
        self.seen = position
        self.changed_at: dict[str, int] = {}  # the position at which a node's entry came, went or changed since then
        self._of_node = {entry[1]: entry for entry in self.entries}

    def __contains__(self, name: object) -> bool:
        return name in self._of_node

    def renew(self, name: str, entry: Entry | None, position: int) -> None:
        """Put a node where it belongs now, or drop it."""
        before = self._of_node.pop(name, None)
        if entry is not None:
            self._of_node[name] = entry
        if entry == before:
            return
        self.changed_at[name] = position
        if before is not None:
            del self.entries[bisect.bisect_left(self.entries, before)]
        if entry is not None:
            bisect.insort(self.entries, entry)
