"""The cluster as filters see it: nodes with the pods that are on them, or will be by what has been decided already.

Law: only ``Cluster.add``, ``Cluster.remove`` and ``Cluster.assume`` change it.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage


@dataclasses.dataclass(slots=True)
class NodeState:
    """One node: what it is, who is on it, and what they take in all."""

    host: nodes.NodeView
    pods: dict[str, pods.PodView] = dataclasses.field(default_factory=dict)  # by UID
    used: dict[str, int] = dataclasses.field(default_factory=dict)  # amounts by resource, see ``amounts``

    @property
    def name(self) -> str:
        """The node's name."""
        return self.host.name


class Cluster:
    """All nodes, not only those with NeuronCores: spread and affinity count them all."""

    def __init__(
        self,
        known_nodes: Iterable[nodes.NodeView],
        namespaces: Mapping[str, Mapping[str, str]],
        stored: storage.Storage,
    ) -> None:
        self.nodes = {node.name: NodeState(node) for node in known_nodes}
        self.namespaces = namespaces  # the labels of each
        self.storage = stored
        self.version = 0  # grows with every change

    def add(self, pod: pods.PodView, node: str) -> None:
        """Note that a pod is, or will be, on a node; nodes that do not exist are left out, a pod counts once."""
        state = self.nodes.get(node)
        if state is None or pod.uid in state.pods:
            return
        state.pods[pod.uid] = pod
        for resource, amount in pod.amounts.items():
            state.used[resource] = state.used.get(resource, 0) + amount
        self.version += 1

    def remove(self, pod: pods.PodView, node: str) -> None:
        """Take back an ``add``."""
        state = self.nodes.get(node)
        if state is None or state.pods.pop(pod.uid, None) is None:
            return
        for resource, amount in pod.amounts.items():
            state.used[resource] -= amount
        self.version += 1

    def assume(self, stored: storage.Storage) -> None:
        """Take what will be known of volumes once what was decided is stored; an earlier ``storage`` takes it back."""
        self.storage = stored
        self.version += 1
