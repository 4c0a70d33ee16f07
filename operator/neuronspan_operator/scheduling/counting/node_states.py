"""One node as filters see it: what it is, who is on it or will be, and what these take in all. Pure.

Law: what it sums up is what a look at its pods would find.
"""

import dataclasses

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import host_ports

_Pod = pods.PodView  # a node's ``pods`` hide the module


@dataclasses.dataclass(slots=True)
class NodeState:
    """One node: what it is, who is on it, and what they take in all."""

    host: nodes.NodeView
    pods: dict[str, _Pod] = dataclasses.field(default_factory=dict)  # by UID
    used: dict[str, int] = dataclasses.field(default_factory=dict)  # amounts by resource, see ``amounts``
    ports: dict[host_ports.HostPort, int] = dataclasses.field(default_factory=dict)  # how many pods take each
    with_volumes: dict[str, _Pod] = dataclasses.field(default_factory=dict)  # those that have claims or disks

    @property
    def name(self) -> str:
        """The node's name."""
        return self.host.name

    def take(self, pod: _Pod) -> None:
        """Take in a pod that came."""
        self.pods[pod.uid] = pod
        self._count(pod, 1)
        if pod.constraints.claims or pod.constraints.disks:
            self.with_volumes[pod.uid] = pod

    def lose(self, uid: str) -> _Pod | None:
        """Let a pod go, and return it as it was taken in; None when it is not here."""
        pod = self.pods.pop(uid, None)
        if pod is not None:
            self._count(pod, -1)
            self.with_volumes.pop(uid, None)
        return pod

    def _count(self, pod: _Pod, by: int) -> None:
        for resource, amount in pod.amounts.items():
            self.used[resource] = self.used.get(resource, 0) + by * amount
        for port in dict.fromkeys(pod.constraints.host_ports):
            self.ports[port] = self.ports.get(port, 0) + by
            if not self.ports[port]:
                del self.ports[port]
