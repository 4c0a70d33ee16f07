"""How evenly the domains of a topology would be filled: topology spread constraints.

Follows the plugin PodTopologySpread (filtering.go and scoring.go in
k8s.io/kubernetes/pkg/scheduler/framework/plugins/podtopologyspread). Pods that are being deleted do not count. A
selector without any requirement means the pod itself, and yet counts no pod: countPodsMatchSelector in common.go.

Left out are the plugin's system defaults: soft constraints of pods that have none of their own, with a skew of 3
between host names and of 5 between zones. They select what the pod's Services, ReplicaSets and the like select, which
the operator does not watch. They never forbid a node: only scores differ.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from neuronspan import names
from neuronspan_operator import reasons
from neuronspan_operator.objects import nodes as node_views
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_constraints, selectors, spreads
from neuronspan_operator.scheduling import cluster_state, objections

_BEST: Final = 100
_KEEPING_AWAY: Final = frozenset({"NoSchedule", "NoExecute"})

_WORDS: Final = "node(s) didn't match pod topology spread constraints"
_UNEVEN: Final = objections.Objection(reasons.ObjectionKind.TOPOLOGY_SPREAD, _WORDS)
_NO_DOMAIN: Final = objections.Objection(reasons.ObjectionKind.TOPOLOGY_SPREAD, f"{_WORDS} (missing required label)")


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter of the pod's constraints with ``whenUnsatisfiable: DoNotSchedule``."""
    hard = tuple(each for each in pod.constraints.spread if each.required)
    if not hard:
        return None
    domains = _count_domains(pod, hard, cluster)
    limits = [(each.topology_key, counts, _most(pod, each, counts)) for each, counts in zip(hard, domains, strict=True)]

    def judge(node: cluster_state.NodeState) -> objections.Objection | None:
        for key, counts, most in limits:
            value = node.host.labels.get(key)
            if value is None:
                return _NO_DOMAIN
            if counts.get(value, 0) > most:
                return _UNEVEN
        return None

    return judge


def _most(pod: pods.PodView, constraint: spreads.SpreadConstraint, counts: Mapping[str, int]) -> int:
    """Return how many matching pods a domain may have before this one comes."""
    least = min(counts.values(), default=0) if len(counts) >= constraint.min_domains else 0
    return constraint.max_skew + least - int(constraint.selector.selects(pod.labels))


def preferences(
    pod: pods.PodView, cluster: cluster_state.Cluster, nodes: Sequence[cluster_state.NodeState]
) -> Mapping[str, int] | None:
    """Return 0 to 100 by name of node: how well it meets the constraints with ``whenUnsatisfiable: ScheduleAnyway``.

    ``nodes`` are those that passed the filters: the number of their domains decides how much a constraint weighs.
    """
    soft = tuple(each for each in pod.constraints.spread if not each.required)
    if not soft:
        return None
    keys = _keys(soft)
    scored = [node for node in nodes if keys <= node.host.labels.keys()]
    domains = _count_domains(pod, soft, cluster)
    crowded = {node.name: 0.0 for node in scored}
    for each, counts in zip(soft, domains, strict=True):
        weight = _weight(each, scored)
        sizes = _sizes(each, counts, _population(pod, each, cluster), scored)
        for name, size in sizes.items():
            crowded[name] += size * weight + (each.max_skew - 1)
    # rounded half up, as math.Round does with what is not negative
    rounded = {name: math.floor(score + 0.5) for name, score in crowded.items()}
    return dict.fromkeys((node.name for node in nodes), 0) | _normalized(rounded)


def _weight(constraint: spreads.SpreadConstraint, scored: Sequence[cluster_state.NodeState]) -> float:
    """Return more the more domains there are, as their pods are fewer each."""
    if constraint.topology_key == names.HOSTNAME_LABEL:  # a domain per node, whatever the label says
        return math.log(len(scored) + 2)
    return math.log(len({node.host.labels[constraint.topology_key] for node in scored}) + 2)


def _sizes(
    constraint: spreads.SpreadConstraint,
    counts: Mapping[str, int],
    population: Mapping[str, int],
    scored: Sequence[cluster_state.NodeState],
) -> Mapping[str, int]:
    """Return by node how many pods are in its domain; by host name all pods count, whatever the inclusion policies."""
    key = constraint.topology_key
    if key == names.HOSTNAME_LABEL:
        return {node.name: population.get(node.name, 0) for node in scored}
    return {node.name: counts.get(node.host.labels[key], 0) for node in scored}


def _normalized(crowded: Mapping[str, int]) -> dict[str, int]:
    """Return the more the less crowded: 100 for the least crowded when it has nothing at all."""
    least, most = min(crowded.values(), default=0), max(crowded.values(), default=0)
    if not most:
        return dict.fromkeys(crowded, _BEST)
    return {name: _BEST * (most + least - score) // most for name, score in crowded.items()}


# --- how many pods are where -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Population:
    """How many pods of a namespace are meant by a selector, by name of node; nodes without any have no entry."""

    selector: selectors.LabelSelector
    namespace: str
    by_node: dict[str, int] = dataclasses.field(default_factory=dict, compare=False)

    def count(self, pod: pods.PodView, node: cluster_state.NodeState, by: int) -> None:
        """Count a pod that came or left."""
        if pod.deleted or pod.namespace != self.namespace or not self.selector.selects(pod.labels):
            return
        self.by_node[node.name] = self.by_node.get(node.name, 0) + by
        if not self.by_node[node.name]:
            del self.by_node[node.name]


def _population(
    pod: pods.PodView, constraint: spreads.SpreadConstraint, cluster: cluster_state.Cluster
) -> Mapping[str, int]:
    if constraint.selector.everything:
        return {}
    return cluster.keep(_Population(constraint.selector, pod.namespace)).by_node


def _count_domains(
    pod: pods.PodView, constraints: Sequence[spreads.SpreadConstraint], cluster: cluster_state.Cluster
) -> Sequence[Mapping[str, int]]:
    """Return for each constraint how many pods it counts, by domain; a domain of nodes that do not count is missing."""
    populations = [_population(pod, each, cluster) for each in constraints]
    domains: list[dict[str, int]] = [{} for _ in constraints]
    keys = _keys(constraints)
    for node in cluster.nodes.values():
        if not keys <= node.host.labels.keys():
            continue
        for each, population, counts in zip(constraints, populations, domains, strict=True):
            if _included(pod, each, node.host):
                value = node.host.labels[each.topology_key]
                counts[value] = counts.get(value, 0) + population.get(node.name, 0)
    return domains


def _keys(constraints: Iterable[spreads.SpreadConstraint]) -> frozenset[str]:
    """Return the labels that a node must have all of to be in the topology of any."""
    return frozenset(each.topology_key for each in constraints)


def _included(pod: pods.PodView, constraint: spreads.SpreadConstraint, host: node_views.NodeView) -> bool:
    """Return whether the node counts for the constraint by its two inclusion policies."""
    if constraint.honor_affinity and not pod_constraints.selects_node(pod.constraints, host):
        return False
    return not constraint.honor_taints or all(
        any(each.tolerates(taint) for each in pod.constraints.tolerations)
        for taint in host.taints
        if taint.effect in _KEEPING_AWAY
    )
