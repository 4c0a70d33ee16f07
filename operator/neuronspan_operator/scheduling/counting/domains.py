"""Sums by domain: how many pods that somebody's terms or constraints mean are where. Pure."""

import dataclasses
from collections.abc import Iterable
from typing import Final

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import pod_constraints, pod_terms, selectors, tolerations
from neuronspan_operator.scheduling.counting import meanings

Counts = dict[str, int]
"""By value of a topology key: one entry per domain."""

_KEEPING_AWAY: Final = frozenset({"NoSchedule", "NoExecute"})


def add(counts: Counts, value: str, by: int) -> None:
    """Count by domain, and keep none that is zero."""
    counts[value] = counts.get(value, 0) + by
    if not counts[value]:
        del counts[value]


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """How many pods are meant by all these terms, by domain of each; nodes without the key are in no domain.

    Terms are resolved: they name their namespaces, or mean all.
    """

    terms: tuple[pod_terms.AffinityTerm, ...]
    domains: tuple[Counts, ...] = dataclasses.field(compare=False)  # one per term, none that is zero

    @classmethod
    def of(cls, terms: tuple[pod_terms.AffinityTerm, ...]) -> "Matching":
        """Return empty sums for these terms."""
        return cls(terms, tuple({} for _ in terms))

    @property
    def meaning(self) -> meanings.Meaning:
        """What the first term means: it takes all of them."""
        return meanings.of_term(self.terms[0])

    def place(self, host: nodes.NodeView) -> object:
        """Return the domain of each term."""
        return tuple(host.labels.get(term.topology_key) for term in self.terms)

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        """Do nothing: domains without pods do not count."""

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod that came or left."""
        if not all_mean(self.terms, pod):
            return False
        counted = False
        for term, counts in zip(self.terms, self.domains, strict=True):
            value = host.labels.get(term.topology_key)
            if value is not None:
                add(counts, value, by)
                counted = True
        return counted


def all_mean(terms: Iterable[pod_terms.AffinityTerm], pod: pods.PodView) -> bool:
    """Return whether all of the resolved terms mean the pod."""
    return all(term.selects(pod.namespace, pod.labels, {}) for term in terms)


@dataclasses.dataclass(frozen=True, slots=True)
class Inclusion:
    """Which nodes a spread constraint counts: those with all ``keys``, and by its two policies.

    ``reach`` is None where the pod's node affinity does not matter, ``tolerations`` where taints do not.
    """

    keys: frozenset[str]
    reach: pod_constraints.Reach | None = None
    tolerations: "tuple[tolerations.Toleration, ...] | None" = None

    def admits(self, host: nodes.NodeView) -> bool:
        """Whether the node counts."""
        if not self.keys <= host.labels.keys() or not (self.reach is None or self.reach.selects(host)):
            return False
        tolerated = self.tolerations
        return tolerated is None or all(
            any(each.tolerates(taint) for each in tolerated) for taint in host.taints if taint.effect in _KEEPING_AWAY
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Spread:
    """How many pods of a namespace a selector means, by domain; a domain of nodes that do not count is missing.

    Pods that are being deleted do not count.
    """

    topology_key: str
    selector: selectors.LabelSelector
    namespace: str
    inclusion: Inclusion
    counts: Counts = dataclasses.field(default_factory=dict, compare=False)
    hosts: Counts = dataclasses.field(default_factory=dict, compare=False)  # how many nodes are in each domain
    levels: dict[int, int] = dataclasses.field(default_factory=dict, compare=False)  # domains by their number of pods

    @property
    def meaning(self) -> meanings.Meaning:
        """The selector, in the namespace."""
        return meanings.Meaning(self.selector, frozenset({self.namespace}))

    @property
    def least(self) -> int:
        """The number of pods in the domain that has the fewest, 0 without any domain."""
        return min(self.levels, default=0)

    def place(self, host: nodes.NodeView) -> str | None:
        """Return the node's domain, None when it does not count."""
        return host.labels.get(self.topology_key) if self.inclusion.admits(host) else None

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        """Open the domains of new nodes; close those without any node left."""
        for value in map(self.place, hosts):
            if value is None:
                continue
            known = value in self.hosts
            add(self.hosts, value, by)
            if not known:
                self.counts[value] = 0
                _move(self.levels, None, 0)
            elif value not in self.hosts:
                _move(self.levels, self.counts.pop(value), None)

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod that came or left."""
        value = self.place(host) if _is_counted(pod, self.selector, self.namespace) else None
        if value is None:
            return False
        before = self.counts[value]
        self.counts[value] = before + by
        _move(self.levels, before, before + by)
        return True


def _move(levels: dict[int, int], before: int | None, after: int | None) -> None:
    """Note that a domain has another number of pods; None where it is new, or no more."""
    if after is not None:
        levels[after] = levels.get(after, 0) + 1
    if before is not None:
        levels[before] -= 1
        if not levels[before]:
            del levels[before]


@dataclasses.dataclass(frozen=True, slots=True)
class Population:
    """How many pods of a namespace are meant by a selector, by name of node; nodes without any have no entry."""

    selector: selectors.LabelSelector
    namespace: str
    by_node: Counts = dataclasses.field(default_factory=dict, compare=False)

    @property
    def meaning(self) -> meanings.Meaning:
        """The selector, in the namespace."""
        return meanings.Meaning(self.selector, frozenset({self.namespace}))

    def place(self, host: nodes.NodeView) -> object:
        """Return the node's name."""
        return host.name

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        """Do nothing: nodes without pods have no entry."""

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        """Count a pod that came or left."""
        counted = _is_counted(pod, self.selector, self.namespace)
        if counted:
            add(self.by_node, host.name, by)
        return counted


def _is_counted(pod: pods.PodView, selector: selectors.LabelSelector, namespace: str) -> bool:
    return not pod.deleted and pod.namespace == namespace and selector.selects(pod.labels)
