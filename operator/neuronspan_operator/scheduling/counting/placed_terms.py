"""What pods that are on nodes say about others: their affinity terms, summed up by equal term.

Law: what terms cost a pod grows with those that could mean it; a term that means nobody who asked wakes nobody.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import pod_terms
from neuronspan_operator.scheduling.counting import domains, meanings

_REQUIRED_WEIGHT: Final = 1  # hardPodAffinityWeight: what a placed pod requires is a wish to those that could join it
MOST_ASKERS: Final = 512
"""Different pods that are remembered to have asked; beyond that, the half that asked longest ago is forgotten."""

_NamespaceLabels = Mapping[str, Mapping[str, str]]
_Asker = tuple[str, frozenset[tuple[str, str]]]


@dataclasses.dataclass(eq=False, slots=True)
class PlacedTerm:
    """One term, and in which domains pods are that have it: required apart, or wished for with a weight."""

    term: pod_terms.AffinityTerm
    forbidding: domains.Counts = dataclasses.field(default_factory=dict)
    wishing: dict[int, domains.Counts] = dataclasses.field(default_factory=dict)  # by weight
    matters: bool = False  # it means somebody who asked

    @property
    def idle(self) -> bool:
        """Whether no pod has it in any domain."""
        return not (self.forbidding or self.wishing)


class PlacedTerms:
    """The terms of all pods that are on nodes; ``forgotten`` grows whenever some who asked are forgotten."""

    def __init__(self) -> None:
        self._terms: dict[pod_terms.AffinityTerm, PlacedTerm] = {}
        self._index: meanings.Index[PlacedTerm] = meanings.Index()
        self._keys: dict[str, int] = {}  # topology keys, and how many terms of pods have each
        self._askers: collections.OrderedDict[_Asker, Mapping[str, str]] = collections.OrderedDict()
        self.forgotten = 0
        self.opinions = 0  # grows whenever a term begins or ends to forbid anything to somebody who asked

    def about(self, pod: pods.PodView, namespaces: _NamespaceLabels) -> list[PlacedTerm]:
        """Return the terms that mean the pod; ``namespaces`` are the labels of each namespace."""
        self._ask(pod)
        found = [
            each
            for each in self._index.possible(pod.namespace, pod.labels)
            if each.term.selects(pod.namespace, pod.labels, namespaces)
        ]
        for each in found:
            each.matters = True
        return found

    def place(self, host: nodes.NodeView) -> object:
        """Return all that is seen of a node."""
        labels = host.labels
        return {key: labels[key] for key in self._keys if key in labels}

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int, namespaces: _NamespaceLabels) -> bool:
        """Count the terms of a pod that came or left; False when none means anybody who asked."""
        matters = False
        for term, weight in _weighted(pod.constraints.pod_affinity):
            domains.add(self._keys, term.topology_key, by)
            value = host.labels.get(term.topology_key)
            if value is not None:
                placed = self._terms.get(term) or self._open(term, namespaces)
                forbade = bool(placed.forbidding)
                _count(placed, weight, value, by)
                matters = matters or placed.matters
                self.opinions += placed.matters and forbade is not bool(placed.forbidding)
                if placed.idle:
                    del self._terms[term]
                    self._index.drop(placed)
        return matters

    def _open(self, term: pod_terms.AffinityTerm, namespaces: _NamespaceLabels) -> PlacedTerm:
        placed = self._terms[term] = PlacedTerm(term)
        placed.matters = any(term.selects(home, labels, namespaces) for (home, _), labels in self._askers.items())
        self._index.put(placed, meanings.of_term(term))
        return placed

    def _ask(self, pod: pods.PodView) -> None:
        asker = pod.namespace, frozenset(pod.labels.items())
        if asker in self._askers:
            self._askers.move_to_end(asker)
            return
        self._askers[asker] = pod.labels
        if len(self._askers) > MOST_ASKERS:
            for _ in range(len(self._askers) // 2):
                self._askers.popitem(last=False)
            self.forgotten += 1


def _count(placed: PlacedTerm, weight: int | None, value: str, by: int) -> None:
    if weight is None:
        domains.add(placed.forbidding, value, by)
        return
    counts = placed.wishing.setdefault(weight, {})
    domains.add(counts, value, by)
    if not counts:
        del placed.wishing[weight]


def _weighted(affinity: pod_terms.PodAffinity) -> Iterator[tuple[pod_terms.AffinityTerm, int | None]]:
    """Yield every term with its weight for others; None for one that forbids."""
    yield from ((term, None) for term in affinity.anti_required)
    yield from ((term, _REQUIRED_WEIGHT) for term in affinity.required)
    yield from ((each.term, each.weight) for each in affinity.preferred)
    yield from ((each.term, -each.weight) for each in affinity.anti_preferred)
