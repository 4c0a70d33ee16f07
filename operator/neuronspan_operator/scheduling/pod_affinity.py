"""Which nodes are near the pods that a pod wants to be near, and far from those it does not.

Follows the plugin InterPodAffinity (filtering.go and scoring.go in
k8s.io/kubernetes/pkg/scheduler/framework/plugins/interpodaffinity) with its default arguments. Pods that are being
deleted count until they are gone. Terms of pods that are on nodes are summed up by equal term: what they cost grows
with the number of different terms, not of pods.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_terms
from neuronspan_operator.scheduling import cluster_state, objections

_BEST: Final = 100
_REQUIRED_WEIGHT: Final = 1  # hardPodAffinityWeight: what a placed pod requires is a wish to those that could join it

_NOT_NEAR: Final = objections.Objection(reasons.ObjectionKind.POD_AFFINITY, "node(s) didn't match pod affinity rules")
_TOO_NEAR: Final = objections.Objection(
    reasons.ObjectionKind.POD_ANTI_AFFINITY, "node(s) didn't match pod anti-affinity rules"
)
_UNWELCOME: Final = objections.Objection(
    reasons.ObjectionKind.POD_ANTI_AFFINITY, "node(s) didn't satisfy existing pods anti-affinity rules"
)

_Counts = dict[str, int]  # by value of a topology key: one entry per domain, none that is zero
_Values = Mapping[str, Mapping[str, int]]  # by topology key, then by its value


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter of what the pod requires, and of what the pods that are on nodes forbid it."""
    affinity = pod.constraints.pod_affinity
    closed = _closed_domains(pod, cluster)
    if not (affinity.required or affinity.anti_required or closed):
        return None
    near = _Near.of(pod, cluster) if affinity.required else None
    far = tuple((term.topology_key, _matching(cluster, term)) for term in affinity.anti_required)

    def judge(node: cluster_state.NodeState) -> objections.Objection | None:
        labels = node.host.labels
        if near is not None and not near.admits(labels):
            return _NOT_NEAR
        if any(labels.get(key) in counts for key, counts in far):
            return _TOO_NEAR
        if any(labels.get(key) in values for key, values in closed.items()):
            return _UNWELCOME
        return None

    return judge


def preferences(
    pod: pods.PodView, cluster: cluster_state.Cluster, nodes: Sequence[cluster_state.NodeState]
) -> Mapping[str, int] | None:
    """Return 0 to 100 by name of node: what the pod prefers, and what the pods that are on nodes think of it.

    None when nobody has a wish that concerns a node.
    """
    pull: dict[str, _Counts] = {}
    for key, counts, weight in (*_own_wishes(pod, cluster), *_others_wishes(pod, cluster)):
        values = pull.setdefault(key, {}) if counts else {}
        for value, number in counts.items():
            values[value] = values.get(value, 0) + weight * number
    return _normalized({node.name: _pulled(node, pull) for node in nodes}) if pull else None


# --- what the pod wants of others ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Matching:
    """How many pods are meant by all these terms, by domain of each; nodes without the key are in no domain."""

    terms: tuple[pod_terms.AffinityTerm, ...]  # resolved
    domains: tuple[_Counts, ...] = dataclasses.field(compare=False)  # one per term

    def count(self, pod: pods.PodView, node: cluster_state.NodeState, by: int) -> None:
        """Count a pod that came or left."""
        if _all_mean(self.terms, pod):
            for term, counts in zip(self.terms, self.domains, strict=True):
                _count(counts, node, term.topology_key, by)


@dataclasses.dataclass(frozen=True, slots=True)
class _Near:
    """Required affinity: one pod must be meant by all terms, and be in the node's domain of each of them."""

    domains: tuple[tuple[str, Mapping[str, int]], ...]
    opens_series: bool  # nobody is meant yet but the pod itself: it may be the first, wherever the keys exist

    @classmethod
    def of(cls, pod: pods.PodView, cluster: cluster_state.Cluster) -> "_Near":
        terms = tuple(term.resolved(cluster.namespaces) for term in pod.constraints.pod_affinity.required)
        counted = cluster.keep(_Matching(terms, tuple({} for _ in terms))).domains
        keys = (term.topology_key for term in terms)
        return cls(tuple(zip(keys, counted, strict=True)), not any(counted) and _all_mean(terms, pod))

    def admits(self, labels: Mapping[str, str]) -> bool:
        if self.opens_series:
            return all(key in labels for key, _ in self.domains)
        return all(labels.get(key) in counts for key, counts in self.domains)


def _all_mean(terms: Iterable[pod_terms.AffinityTerm], pod: pods.PodView) -> bool:
    """Return whether all of the resolved terms mean the pod."""
    return all(term.selects(pod.namespace, pod.labels, {}) for term in terms)


def _matching(cluster: cluster_state.Cluster, term: pod_terms.AffinityTerm) -> Mapping[str, int]:
    return cluster.keep(_Matching((term.resolved(cluster.namespaces),), ({},))).domains[0]


def _own_wishes(pod: pods.PodView, cluster: cluster_state.Cluster) -> Iterable[tuple[str, Mapping[str, int], int]]:
    affinity = pod.constraints.pod_affinity
    for sign, wishes in ((1, affinity.preferred), (-1, affinity.anti_preferred)):
        for each in wishes:
            yield each.term.topology_key, _matching(cluster, each.term), sign * each.weight


# --- what others want of the pod -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Terms:
    """How many of the pods that are on nodes have a term, by domain of the term."""

    forbidding: dict[pod_terms.AffinityTerm, _Counts] = dataclasses.field(default_factory=dict, compare=False)
    wishing: dict[tuple[pod_terms.AffinityTerm, int], _Counts] = dataclasses.field(default_factory=dict, compare=False)

    def count(self, pod: pods.PodView, node: cluster_state.NodeState, by: int) -> None:
        """Count the terms of a pod that came or left."""
        affinity = pod.constraints.pod_affinity
        if not affinity:
            return
        for term in affinity.anti_required:
            _count(self.forbidding.setdefault(term, {}), node, term.topology_key, by)
        for term, weight in _weighted(affinity):
            _count(self.wishing.setdefault((term, weight), {}), node, term.topology_key, by)


def _weighted(affinity: pod_terms.PodAffinity) -> Iterable[tuple[pod_terms.AffinityTerm, int]]:
    yield from ((term, _REQUIRED_WEIGHT) for term in affinity.required)
    yield from ((each.term, each.weight) for each in affinity.preferred)
    yield from ((each.term, -each.weight) for each in affinity.anti_preferred)


def _closed_domains(pod: pods.PodView, cluster: cluster_state.Cluster) -> Mapping[str, set[str]]:
    """Return by topology key the values of the domains where a pod is that forbids this one."""
    closed: dict[str, set[str]] = {}
    for term, counts in cluster.keep(_Terms()).forbidding.items():
        if counts and term.selects(pod.namespace, pod.labels, cluster.namespaces):
            closed.setdefault(term.topology_key, set()).update(counts)
    return closed


def _others_wishes(pod: pods.PodView, cluster: cluster_state.Cluster) -> Iterable[tuple[str, Mapping[str, int], int]]:
    for (term, weight), counts in cluster.keep(_Terms()).wishing.items():
        if counts and term.selects(pod.namespace, pod.labels, cluster.namespaces):
            yield term.topology_key, counts, weight


# --- sums ------------------------------------------------------------------------------------------------------------


def _count(counts: _Counts, node: cluster_state.NodeState, key: str, by: int) -> None:
    value = node.host.labels.get(key)
    if value is None:
        return
    counts[value] = counts.get(value, 0) + by
    if not counts[value]:
        del counts[value]


def _pulled(node: cluster_state.NodeState, pull: _Values) -> int:
    labels = node.host.labels
    return sum(values.get(labels[key], 0) for key, values in pull.items() if key in labels)


def _normalized(scores: Mapping[str, int]) -> Mapping[str, int]:
    """Return 0 for the least score, 100 for the greatest, and 0 for all when they are equal."""
    least, greatest = min(scores.values(), default=0), max(scores.values(), default=0)
    if least == greatest:
        return dict.fromkeys(scores, 0)
    # divided first, as the plugin does: the rounding is part of the score
    return {name: int(_BEST * ((score - least) / (greatest - least))) for name, score in scores.items()}
