"""All filters and soft scores together, in the order of kube-scheduler's default plugins.

Left out: the scores of ImageLocality, NodeResourcesFit and NodeResourcesBalancedAllocation, because packing of
NeuronCores ranks nodes instead; DynamicResources, because pods with resource claims are left to their own scheduler;
plugins behind gates that are off in 1.36. NodeDeclaredFeatures is on in 1.36: see ``node_features``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import (
    cluster_state,
    host_ports,
    node_affinity,
    node_features,
    node_resources,
    objections,
    pod_affinity,
    taints,
    topology_spread,
)
from neuronspan_operator.scheduling.counting import node_states
from neuronspan_operator.scheduling.volumes import binding, limits, restrictions, zones

_Maker = Callable[[pods.PodView, cluster_state.Cluster], objections.Judgement | None]
_Preferences = Callable[
    [pods.PodView, cluster_state.Cluster, Sequence[node_states.NodeState]], Mapping[str, int] | None
]

# In kube-scheduler's order. Steady verdicts depend on the pod's constraints and the node alone, not on other pods.
_STEADY: Final[Sequence[_Maker]] = (
    node_affinity.preselected,
    taints.cordons,
    node_affinity.by_name,
    taints.for_pod,
    node_affinity.for_pod,
)
_CHANGING: Final[Sequence[_Maker]] = (
    host_ports.for_pod,
    node_resources.for_pod,
    restrictions.for_pod,
    limits.for_pod,
    binding.for_pod,
    zones.for_pod,
    topology_spread.for_pod,
    pod_affinity.for_pod,
    node_features.for_pod,
)
_GRANTED: Final[Sequence[_Maker]] = tuple(each for each in _CHANGING if each not in {binding.for_pod, zones.for_pod})
_WEIGHTS: Final[Sequence[tuple[int, _Preferences]]] = (
    (3, taints.preferences),
    (2, node_affinity.preferences),
    (2, topology_spread.preferences),
    (2, pod_affinity.preferences),
)


class Screen:
    """What one pod may use of a cluster, as it is now: valid until the cluster changes.

    Of a pod that is ``granted`` the claims are under way, which ``volumes.claiming`` follows: to look for volumes again
    would find that a claim is half bound, or that the space is used up that its own volume takes.
    """

    def __init__(self, pod: pods.PodView, cluster: cluster_state.Cluster, *, granted: bool = False) -> None:
        self._pod = pod
        steady, changing = _made(_STEADY, pod, cluster), _made(_GRANTED if granted else _CHANGING, pod, cluster)
        # what concerns the pod as a whole stands before all that concerns a node
        self.of_pod = next((each for each in (*steady, *changing) if isinstance(each, objections.Objection)), None)
        self._steady = [each for each in steady if not isinstance(each, objections.Objection)]
        self._changing = [each for each in changing if not isinstance(each, objections.Objection)]

    @property
    def is_plain(self) -> bool:
        """Whether pods that equal this one in selectors, tolerations and amounts have the same verdict everywhere."""
        return self.of_pod is None and len(self._changing) == 1  # the filter of resources is always there

    def steady_objection(self, node: node_states.NodeState) -> objections.Objection | None:
        """Return the first reason that does not depend on who is on which node."""
        return _first(self._steady, node)

    def objection(self, node: node_states.NodeState) -> objections.Objection | None:
        """Return the first reason why the pod cannot be on the node, None when it can."""
        return self.of_pod or _first(self._steady, node) or _first(self._changing, node)

    def objections(self, node: node_states.NodeState) -> tuple[objections.Objection, ...]:
        """Return what kube-scheduler would count for the node: the first reason, and every resource that is missing."""
        first = self.objection(node)
        if first is None or first.kind is not reasons.ObjectionKind.RESOURCES:
            return () if first is None else (first,)
        return tuple(node_resources.lacking(self._pod, node))


def verdicts(pod: pods.PodView, cluster: cluster_state.Cluster) -> Mapping[str, objections.Objection | None]:
    """Return for every node the first reason why the pod cannot be there, None where it can."""
    screen = Screen(pod, cluster)
    return {node.name: screen.objection(node) for node in cluster.nodes.values()}


def minds(pod: pods.PodView, cluster: cluster_state.Cluster) -> bool:
    """Whether any preference but those that taints express tells nodes apart for the pod."""
    return node_affinity.minds(pod) or topology_spread.minds(pod) or pod_affinity.minds(pod, cluster)


def soft_scores(
    pod: pods.PodView, cluster: cluster_state.Cluster, nodes: Sequence[node_states.NodeState]
) -> Mapping[str, int]:
    """Return how much the pod would rather be on each of the nodes that it can be on; all 0 when it does not mind."""
    totals = dict.fromkeys((node.name for node in nodes), 0)
    for weight, preferences in _WEIGHTS:
        for name, score in (preferences(pod, cluster, nodes) or {}).items():
            totals[name] += weight * score
    return totals


def _made(makers: Sequence[_Maker], pod: pods.PodView, cluster: cluster_state.Cluster) -> list[objections.Judgement]:
    made = [maker(pod, cluster) for maker in makers]
    return [each for each in made if each is not None]


def _first(filters: Sequence[objections.Filter], node: node_states.NodeState) -> objections.Objection | None:
    for judge in filters:
        found = judge(node)
        if found is not None:
            return found
    return None
