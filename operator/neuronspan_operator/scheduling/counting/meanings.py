"""Finds whose selectors could mean a pod, without a look at all selectors there are. Pure."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from neuronspan_operator.objects.constraints import pod_terms, selectors

K = TypeVar("K")

_MOST_HOMES: Final = 16
"""Namespaces under which one item is filed; one that names more is looked at for pods of all namespaces."""

_Pair = tuple[str, str]
_Shelf = dict[_Pair | None, dict[K, None]]  # by a label of pods and its value; None: whatever the labels


@dataclasses.dataclass(frozen=True, slots=True)
class Meaning:
    """Which pods may be meant: by labels, and by namespace; None stands for every namespace."""

    selector: selectors.LabelSelector
    namespaces: frozenset[str] | None = None


def of_term(term: pod_terms.AffinityTerm) -> Meaning:
    """Return which pods a term may mean, whatever the labels of namespaces are."""
    return Meaning(term.selector, term.namespaces if term.namespace_selector.nothing else None)


class Index(Generic[K]):
    """Items by what they mean: ``possible`` leaves out nearly all that do not mean a pod, and none that does."""

    def __init__(self) -> None:
        self._shelves: dict[str | None, _Shelf[K]] = {}
        self._filed: dict[K, tuple[tuple[str | None, _Pair | None], ...]] = {}

    def put(self, item: K, meaning: Meaning) -> None:
        """File an item that is not there yet."""
        named = meaning.namespaces
        homes = (None,) if named is None or len(named) > _MOST_HOMES else tuple(named)
        self._filed[item] = tuple(itertools.product(homes, self._pairs(homes, meaning.selector)))
        for home, pair in self._filed[item]:
            self._shelves.setdefault(home, {}).setdefault(pair, {})[item] = None

    def drop(self, item: K) -> None:
        """Take an item out again."""
        for home, pair in self._filed.pop(item):
            shelf = self._shelves[home]
            del shelf[pair][item]
            if not shelf[pair]:
                del shelf[pair]
            if not shelf:
                del self._shelves[home]

    def possible(self, namespace: str, labels: Mapping[str, str]) -> list[K]:
        """Return the items that could mean a pod of the namespace with these labels, each once."""
        found: list[K] = []
        for home in (namespace, None):
            shelf = self._shelves.get(home)
            if shelf is None:
                continue
            for pair in (None, *labels.items()):
                items = shelf.get(pair)
                if items is not None:
                    found += items
        return found

    def _pairs(self, homes: Iterable[str | None], selector: selectors.LabelSelector) -> Iterable[_Pair | None]:
        """Return the labels of which a pod must have one to be meant: of all choices that which is least in use."""
        if selector.nothing:
            return ()
        choices = [
            tuple((each.key, value) for value in dict.fromkeys(each.values))
            for each in selector.requirements
            if each.operator is selectors.Operator.IN
        ]
        return min(choices, key=lambda pairs: self._crowd(homes, pairs), default=(None,))

    def _crowd(self, homes: Iterable[str | None], pairs: Iterable[_Pair]) -> int:
        shelves = [self._shelves.get(home, {}) for home in homes]
        return sum(len(shelf.get(pair, ())) for shelf in shelves for pair in pairs)
