"""Which nodes are near the pods that a pod wants to be near, and far from those it does not.

Follows the plugin InterPodAffinity (filtering.go and scoring.go in
k8s.io/kubernetes/pkg/scheduler/framework/plugins/interpodaffinity) with its default arguments. Pods that are being
deleted count until they are gone.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_terms
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import domains, node_states

_BEST: Final = 100

_NOT_NEAR: Final = objections.Objection(reasons.ObjectionKind.POD_AFFINITY, "node(s) didn't match pod affinity rules")
_TOO_NEAR: Final = objections.Objection(
    reasons.ObjectionKind.POD_ANTI_AFFINITY, "node(s) didn't match pod anti-affinity rules"
)
_UNWELCOME: Final = objections.Objection(
    reasons.ObjectionKind.POD_ANTI_AFFINITY, "node(s) didn't satisfy existing pods anti-affinity rules"
)

_Values = Mapping[str, Mapping[str, int]]  # by topology key, then by its value
_Wish = tuple[str, Mapping[str, int], int]  # topology key, how many pods it is about by domain, weight


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter of what the pod requires, and of what the pods that are on nodes forbid it."""
    affinity = pod.constraints.pod_affinity
    closed = _closed_domains(pod, cluster)
    if not (affinity.required or affinity.anti_required or closed):
        return None
    near = _Near.of(pod, cluster) if affinity.required else None
    far = tuple((term.topology_key, _matching(cluster, term)) for term in affinity.anti_required)

    def judge(node: node_states.NodeState) -> objections.Objection | None:
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
    pod: pods.PodView, cluster: cluster_state.Cluster, nodes: Sequence[node_states.NodeState]
) -> Mapping[str, int] | None:
    """Return 0 to 100 by name of node: what the pod prefers, and what the pods that are on nodes think of it.

    None when nobody has a wish that concerns a node.
    """
    pull: dict[str, domains.Counts] = {}
    for key, counts, weight in (*_own_wishes(pod, cluster), *_others_wishes(pod, cluster)):
        values = pull.setdefault(key, {}) if counts else {}
        for value, number in counts.items():
            values[value] = values.get(value, 0) + weight * number
    return _normalized({node.name: _pulled(node, pull) for node in nodes}) if pull else None


def minds(pod: pods.PodView, cluster: cluster_state.Cluster) -> bool:
    """Whether a wish of the pod, or of a pod that is on a node, tells nodes apart for it."""
    return any(counts for _, counts, _ in (*_own_wishes(pod, cluster), *_others_wishes(pod, cluster)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Near:
    """Required affinity: one pod must be meant by all terms, and be in the node's domain of each of them."""

    domains: tuple[tuple[str, Mapping[str, int]], ...]
    opens_series: bool  # nobody is meant yet but the pod itself: it may be the first, wherever the keys exist

    @classmethod
    def of(cls, pod: pods.PodView, cluster: cluster_state.Cluster) -> "_Near":
        terms = tuple(map(cluster.resolved, pod.constraints.pod_affinity.required))
        counted = cluster.keep(domains.Matching.of(terms)).domains
        keys = (term.topology_key for term in terms)
        return cls(tuple(zip(keys, counted, strict=True)), not any(counted) and domains.all_mean(terms, pod))

    def admits(self, labels: Mapping[str, str]) -> bool:
        if self.opens_series:
            return all(key in labels for key, _ in self.domains)
        return all(labels.get(key) in counts for key, counts in self.domains)


def _matching(cluster: cluster_state.Cluster, term: pod_terms.AffinityTerm) -> Mapping[str, int]:
    return cluster.keep(domains.Matching.of((cluster.resolved(term),))).domains[0]


def _own_wishes(pod: pods.PodView, cluster: cluster_state.Cluster) -> Iterator[_Wish]:
    affinity = pod.constraints.pod_affinity
    for sign, wishes in ((1, affinity.preferred), (-1, affinity.anti_preferred)):
        for each in wishes:
            yield each.term.topology_key, _matching(cluster, each.term), sign * each.weight


def _others_wishes(pod: pods.PodView, cluster: cluster_state.Cluster) -> Iterator[_Wish]:
    for each in cluster.terms.about(pod, cluster.namespaces):
        for weight, counts in each.wishing.items():
            yield each.term.topology_key, counts, weight


def _closed_domains(pod: pods.PodView, cluster: cluster_state.Cluster) -> Mapping[str, Collection[str]]:
    """Return by topology key the values of the domains where a pod is that forbids this one."""
    closed: dict[str, list[domains.Counts]] = {}
    for each in cluster.terms.about(pod, cluster.namespaces):
        if each.forbidding:
            closed.setdefault(each.term.topology_key, []).append(each.forbidding)
    return {key: found[0] if len(found) == 1 else set().union(*found) for key, found in closed.items()}


def _pulled(node: node_states.NodeState, pull: _Values) -> int:
    labels = node.host.labels
    return sum(values.get(labels[key], 0) for key, values in pull.items() if key in labels)


def _normalized(scores: Mapping[str, int]) -> Mapping[str, int]:
    """Return 0 for the least score, 100 for the greatest, and 0 for all when they are equal."""
    least, greatest = min(scores.values(), default=0), max(scores.values(), default=0)
    if least == greatest:
        return dict.fromkeys(scores, 0)
    # divided first, as the plugin does: the rounding is part of the score
    return {name: int(_BEST * ((score - least) / (greatest - least))) for name, score in scores.items()}
