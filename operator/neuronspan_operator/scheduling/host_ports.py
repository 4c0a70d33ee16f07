"""Ports of the node that a pod's containers take for themselves. After the plugin NodePorts."""

from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import cluster_state, objections

_TAKEN: Final = objections.Objection(
    reasons.ObjectionKind.HOST_PORTS, "node(s) didn't have free ports for the requested pod ports"
)


def for_pod(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter, None for a pod without host ports."""
    wanted = pod.constraints.host_ports
    if not wanted:
        return None
    return lambda node: _TAKEN if any(port.clashes(each) for port in node.ports for each in wanted) else None
