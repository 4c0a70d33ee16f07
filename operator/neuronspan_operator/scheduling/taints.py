"""Nodes that keep pods away. After the plugins NodeUnschedulable and TaintToleration.

A node that is not Ready has the taint node.kubernetes.io/not-ready or unreachable, by its controller: here taints alone
decide.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import tolerations
from neuronspan_operator.scheduling import cluster_state, normalizing, objections
from neuronspan_operator.scheduling.counting import node_states

_CORDONED: Final = objections.Objection(reasons.ObjectionKind.UNSCHEDULABLE, "node(s) were unschedulable")
_UNTOLERATED: Final = objections.Objection(reasons.ObjectionKind.TAINT, "node(s) had untolerated taint(s)")

_CORDON: Final = tolerations.Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})
_SOFT: Final = "PreferNoSchedule"


def cordons(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter for cordoned nodes, None when the pod tolerates what stands for that."""
    if _is_tolerated(_CORDON, pod.constraints.tolerations):
        return None
    return lambda node: _CORDONED if node.host.unschedulable else None


def for_pod(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter for taints."""
    tolerated = pod.constraints.tolerations

    def judge(node: node_states.NodeState) -> objections.Objection | None:
        hard = (taint for taint in node.host.taints if taint.effect in _HARD)
        return None if all(_is_tolerated(taint, tolerated) for taint in hard) else _UNTOLERATED

    return judge


def preferences(
    pod: pods.PodView, _cluster: cluster_state.Cluster, nodes: Sequence[node_states.NodeState]
) -> Mapping[str, int] | None:
    """Return 100 for nodes without soft taints that the pod does not tolerate, less for others; None without any."""
    counts = {node.name: _disliked(pod, node) for node in nodes}
    return normalizing.reversed_(counts) if any(counts.values()) else None


def is_disliked(pod: pods.PodView, node: node_states.NodeState) -> bool:
    """Whether the node has a soft taint that the pod does not tolerate."""
    return _disliked(pod, node) > 0


def _disliked(pod: pods.PodView, node: node_states.NodeState) -> int:
    soft = (taint for taint in node.host.taints if taint.effect == _SOFT)
    return sum(not _is_tolerated(taint, pod.constraints.tolerations) for taint in soft)


def _is_tolerated(taint: tolerations.Taint, tolerated: Sequence[tolerations.Toleration]) -> bool:
    return any(each.tolerates(taint) for each in tolerated)
