"""Sums over the pods that are on nodes, as many as are asked for: what keeps them up to date, and forgets them again.

Law: what a pod costs grows with the sums that count it, not with all that are kept.
"""

import collections
from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling.counting import meanings

MOST: Final = 512
"""Sums that are kept: beyond that, the half that was asked for longest ago is forgotten."""


class Sums(Protocol):
    """Sums over the pods that are on nodes. Hashable, and equal to another that sums up the same."""

    @property
    def meaning(self) -> meanings.Meaning:
        """Which pods may be counted: ``count`` need not be called for others."""

    def place(self, host: nodes.NodeView) -> object:
        """Return all that is seen of a node: nodes with equal places are interchangeable."""

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        """Take note of nodes that came, still without pods (``by`` is 1), or that go, without any (-1)."""

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod that came to the node (``by`` is 1), or that left it (-1); False when that changed nothing."""


_S = TypeVar("_S", bound=Sums)


class Store:
    """The sums that are kept; ``forgotten`` grows whenever some are dropped."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[Sums, Any] = collections.OrderedDict()  # each under itself, oldest first
        self._index: meanings.Index[Sums] = meanings.Index()
        self.forgotten = 0

    def __iter__(self) -> Iterator[Sums]:
        return iter(self._kept)

    def find(self, equal: _S) -> _S | None:
        """Return the sums that equal these, None when there are none."""
        found: _S | None = self._kept.get(equal)
        if found is not None:
            self._kept.move_to_end(equal)
        return found

    def put(self, new: Sums) -> None:
        """Keep sums from now on."""
        self._kept[new] = new
        self._index.put(new, new.meaning)
        if len(self._kept) > MOST:
            for _ in range(len(self._kept) // 2):
                self._index.drop(self._kept.popitem(last=False)[0])
            self.forgotten += 1

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod wherever it counts; False when that is nowhere."""
        counted = False
        for each in self._index.possible(pod.namespace, pod.labels):
            counted = each.count(pod, host, by) or counted
        return counted
