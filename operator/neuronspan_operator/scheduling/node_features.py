"""Nodes must declare the features that a pod's spec needs. After the plugin NodeDeclaredFeatures, which 1.36 has."""

from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import cluster_state, objections

_LACKING: Final = objections.Objection(
    reasons.ObjectionKind.NODE_FEATURES, "node(s) didn't match Pod's required features"
)


def for_pod(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter | None:
    """Return the filter, None for a pod that every kubelet can run."""
    needed = pod.constraints.node_features
    if not needed:
        return None
    return lambda node: None if needed <= node.host.features else _LACKING
