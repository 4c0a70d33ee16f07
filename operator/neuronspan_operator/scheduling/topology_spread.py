"""How evenly the domains of a topology would be filled: topology spread constraints.

Follows the plugin PodTopologySpread (filtering.go and scoring.go in
k8s.io/kubernetes/pkg/scheduler/framework/plugins/podtopologyspread). Pods that are being deleted do not count. A
selector without any requirement means the pod itself, and yet counts no pod: countPodsMatchSelector in common.go.

Left out are the plugin's system defaults: soft constraints of pods that have none of their own, with a skew of 3
between host names and of 5 between zones. They select what the pod's Services, ReplicaSets and the like select, which
the operator does not watch. They never forbid a node: only scores differ.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from neuronspan import names
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_constraints, selectors, spreads
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import domains, node_states

_BEST: Final = 100

_WORDS: Final = "node(s) didn't match pod topology spread constraints"
_UNEVEN: Final = objections.Objection(reasons.ObjectionKind.TOPOLOGY_SPREAD, _WORDS)
_NO_DOMAIN: Final = objections.Objection(reasons.ObjectionKind.TOPOLOGY_SPREAD, f"{_WORDS} (missing required label)")


def for_pod(pod: pods.PodView, cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter of the pod's constraints with ``whenUnsatisfiable: DoNotSchedule``."""
    hard = tuple(each for each in pod.constraints.spread if each.required)
    if not hard:
        return None
    limits = [
        (each.topology_key, kept.counts, _most(pod, each, kept))
        for each, kept in zip(hard, _spreads(pod, hard, cluster), strict=True)
    ]

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        for key, counts, most in limits:
            value = node.host.labels.get(key)
            if value is None:
                return _NO_DOMAIN
            if counts.get(value, 0) > most:
                return _UNEVEN
        return None

    return judge


def _most(pod: pods.PodView, constraint: spreads.SpreadConstraint, kept: domains.Spread) -> int:
    """Return how many matching pods a domain may have before this one comes."""
    least = kept.least if len(kept.counts) >= constraint.min_domains else 0
    return constraint.max_skew + least - int(constraint.selector.selects(pod.labels))


def minds(pod: pods.PodView) -> bool:
    """Whether the pod has constraints with ``whenUnsatisfiable: ScheduleAnyway``."""
    return any(not each.required for each in pod.constraints.spread)


def preferences(
    pod: pods.PodView, cluster: cluster_state.Cluster, nodes: Sequence[node_states.NodeState]
) -> Mapping[str, int] | None:
    """Return 0 to 100 by name of node: how well it meets the constraints with ``whenUnsatisfiable: ScheduleAnyway``.

    ``nodes`` are those that passed the filters: the number of their domains decides how much a constraint weighs.
    """
    soft = tuple(each for each in pod.constraints.spread if not each.required)
    if not soft:
        return None
    keys = _keys(soft)
    scored = [node for node in nodes if keys <= node.host.labels.keys()]
    crowded = {node.name: 0.0 for node in scored}
    for each, kept in zip(soft, _spreads(pod, soft, cluster), strict=True):
        weight = _weight(each, scored)
        sizes = _sizes(each, kept, cluster, scored)
        for name, size in sizes.items():
            crowded[name] += size * weight + (each.max_skew - 1)
    # rounded half up, as math.Round does with what is not negative
    rounded = {name: math.floor(score + 0.5) for name, score in crowded.items()}
    return dict.fromkeys((node.name for node in nodes), 0) | _normalized(rounded)


def _weight(constraint: spreads.SpreadConstraint, scored: Sequence[node_states.NodeState]) -> float:
    """Return more the more domains there are, as their pods are fewer each."""
    if constraint.topology_key == names.HOSTNAME_LABEL:  # a domain per node, whatever the label says
        return math.log(len(scored) + 2)
    return math.log(len({node.host.labels[constraint.topology_key] for node in scored}) + 2)


def _sizes(
    constraint: spreads.SpreadConstraint,
    kept: domains.Spread,
    cluster: cluster_state.Cluster,
    scored: Sequence[node_states.NodeState],
) -> Mapping[str, int]:
    """Return by node how many pods are in its domain; by host name all pods count, whatever the inclusion policies."""
    key = constraint.topology_key
    if key != names.HOSTNAME_LABEL:
        return {node.name: kept.counts.get(node.host.labels[key], 0) for node in scored}
    population = cluster.keep(domains.Population(kept.selector, kept.namespace)).by_node
    return {node.name: population.get(node.name, 0) for node in scored}


def _normalized(crowded: Mapping[str, int]) -> dict[str, int]:
    """Return the more the less crowded: 100 for the least crowded when it has nothing at all."""
    least, most = min(crowded.values(), default=0), max(crowded.values(), default=0)
    if not most:
        return dict.fromkeys(crowded, _BEST)
    return {name: _BEST * (most + least - score) // most for name, score in crowded.items()}


def _spreads(
    pod: pods.PodView, constraints: Sequence[spreads.SpreadConstraint], cluster: cluster_state.Cluster
) -> Sequence[domains.Spread]:
    """Return for each constraint how many pods it counts, by domain; only nodes with the labels of all count."""
    keys = _keys(constraints)
    return [
        cluster.keep(domains.Spread(each.topology_key, _counted(each), pod.namespace, _inclusion(pod, each, keys)))
        for each in constraints
    ]


def _counted(constraint: spreads.SpreadConstraint) -> selectors.LabelSelector:
    return selectors.NOTHING if constraint.selector.everything else constraint.selector


def _keys(constraints: Iterable[spreads.SpreadConstraint]) -> frozenset[str]:
    """Return the labels that a node must have all of to be in the topology of any."""
    return frozenset(each.topology_key for each in constraints)


def _inclusion(pod: pods.PodView, constraint: spreads.SpreadConstraint, keys: frozenset[str]) -> domains.Inclusion:
    """Return which nodes count for the constraint by its two inclusion policies."""
    reach = pod_constraints.Reach.of(pod.constraints) if constraint.honor_affinity else None
    return domains.Inclusion(keys, reach, pod.constraints.tolerations if constraint.honor_taints else None)
