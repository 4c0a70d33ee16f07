"""Finds whose selectors could mean a pod, without a look at all selectors there are. Pure."""

import dataclasses
import itertools
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from neuronspan_operator.objects.constraints import pod_terms, selectors

K = TypeVar("K")

_MOST: Final = 16
"""Namespaces, and values of a label, under which one item is filed; one that names more is filed for all of them."""

_Mark = tuple[str, str] | str | None  # a label of pods and its value; a label of any value; whatever the labels
_Shelf = dict[_Mark, dict[K, None]]


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
        self._filed: dict[K, tuple[tuple[str | None, _Mark], ...]] = {}

    def put(self, item: K, meaning: Meaning) -> None:
        """File an item that is not there yet."""
        named = meaning.namespaces
        homes = (None,) if named is None or len(named) > _MOST else tuple(named)
        self._filed[item] = tuple(itertools.product(homes, self._marks(homes, meaning.selector)))
        for home, mark in self._filed[item]:
            self._shelves.setdefault(home, {}).setdefault(mark, {})[item] = None

    def drop(self, item: K) -> None:
        """Take an item out again."""
        for home, mark in self._filed.pop(item):
            shelf = self._shelves[home]
            del shelf[mark][item]
            if not shelf[mark]:
                del shelf[mark]
            if not shelf:
                del self._shelves[home]

    def possible(self, namespace: str, labels: Mapping[str, str]) -> list[K]:
        """Return the items that could mean a pod of the namespace with these labels, each once."""
        found: list[K] = []
        for home in (namespace, None):
            shelf = self._shelves.get(home)
            if shelf is None:
                continue
            for mark in (None, *labels, *labels.items()):
                items = shelf.get(mark)
                if items is not None:
                    found += items
        return found

    def _marks(self, homes: Iterable[str | None], selector: selectors.LabelSelector) -> Iterable[_Mark]:
        """Return marks of which a pod must have one to be meant: of all choices that which is least in use."""
        if selector.nothing:
            return ()
        choices = [found for each in selector.requirements if (found := _needed(each)) is not None]
        return min(choices, key=lambda marks: self._crowd(homes, marks), default=(None,))

    def _crowd(self, homes: Iterable[str | None], marks: Iterable[_Mark]) -> int:
        shelves = [self._shelves.get(home, {}) for home in homes]
        return sum(len(shelf.get(mark, ())) for shelf in shelves for mark in marks)


def _needed(requirement: selectors.Requirement) -> tuple[_Mark, ...] | None:
    """Return marks of which a pod must have one to meet the requirement; None when there are none."""
    values = dict.fromkeys(requirement.values)
    match requirement.operator:
        case selectors.Operator.IN if len(values) <= _MOST:
            return tuple((requirement.key, value) for value in values)
        case selectors.Operator.IN | selectors.Operator.EXISTS:
            return (requirement.key,)
    return None
