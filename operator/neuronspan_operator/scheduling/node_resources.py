"""Every resource that a pod requests must be there: CPU, memory, storage, huge pages, extended resources, pod slots.

After the filter of the plugin NodeResourcesFit. An extended resource that a DeviceClass provides where no device plugin
does (DRAExtendedResource, on by default in 1.36) is unknown here: such nodes lack it for us.
"""

from collections.abc import Iterator

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import amounts
from neuronspan_operator.scheduling import cluster_state, objections
from neuronspan_operator.scheduling.counting import node_states

_KIND = reasons.ObjectionKind.RESOURCES
_FULL = objections.Objection(_KIND, "Too many pods")


def for_pod(pod: pods.PodView, _cluster: cluster_state.Cluster) -> objections.Filter:
    """Return the filter: it names the first resource that is missing."""
    return lambda node: next(lacking(pod, node), None)


def lacking(pod: pods.PodView, node: node_states.NodeState) -> Iterator[objections.Objection]:
    """Return an objection for each resource of which the node has too little left."""
    allocatable, used = node.host.allocatable, node.used
    if len(node.pods) + 1 > allocatable.get(amounts.PODS, 0):
        yield _FULL
    for resource, amount in pod.amounts.items():
        if amount > allocatable.get(resource, 0) - used.get(resource, 0):
            yield objections.Objection(_KIND, f"Insufficient {resource}")
