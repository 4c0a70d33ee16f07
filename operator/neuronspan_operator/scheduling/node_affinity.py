"""Nodes that a pod names, selects or is drawn to.

After the plugins NodeName and NodeAffinity; their ``addedAffinity`` belongs to a profile of kube-scheduler and does not
exist for us.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import pod_constraints
from neuronspan_operator.scheduling import cluster_state, normalizing, objections
from neuronspan_operator.scheduling.counting import node_states

_OTHER_NAME: Final = objections.Objection(
    reasons.ObjectionKind.NODE_NAME, "node(s) didn't match the requested node name"
)
_UNSELECTED: Final = objections.Objection(
    reasons.ObjectionKind.NODE_AFFINITY, "node(s) didn't match Pod's node affinity/selector"
)
_UNNAMED: Final = objections.Objection(
    reasons.ObjectionKind.NODE_AFFINITY, "node(s) didn't satisfy plugin(s) [NodeAffinity]"
)
_CONFLICT: Final = objections.Objection(reasons.ObjectionKind.NODE_AFFINITY, "pod affinity terms conflict", of_pod=True)


def preselected(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Judgement | None:
    """Return the filter that comes before all others: affinity to nodes by name leaves the others out of the search."""
    required = pod.constraints.node_affinity.required
    named = None if required is None else required.names
    if named is None:
        return None
    if not named:
        return _CONFLICT
    return lambda node: None if node.name in named else _UNNAMED


def by_name(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter for ``spec.nodeName``, None when the pod has none."""
    if not pod.node_name:
        return None
    return lambda node: None if node.name == pod.node_name else _OTHER_NAME


def for_pod(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter for node selector and required node affinity, None when the pod has neither."""
    constraints = pod.constraints
    if not constraints.node_selector and constraints.node_affinity.required is None:
        return None
    reach = pod_constraints.Reach.of(constraints)
    return lambda node: None if reach.selects(node.host) else _UNSELECTED


def minds(pod: pods.PodView) -> bool:
    """Whether the pod prefers some nodes."""
    return bool(pod.constraints.node_affinity.preferred)


def preferences(
    pod: pods.PodView, _cluster: cluster_state.Cluster, nodes: Sequence[node_states.NodeState]
) -> Mapping[str, int] | None:
    """Return how much the pod's preferred node affinity is for each node, 0 to 100; None without any."""
    preferred = pod.constraints.node_affinity.preferred
    if not preferred:
        return None
    weights = {
        node.name: sum(each.weight for each in preferred if each.term.selects(node.name, node.host.labels))
        for node in nodes
    }
    return normalizing.normalized(weights)
