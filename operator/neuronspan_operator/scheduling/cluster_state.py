"""The cluster as filters see it: nodes with the pods that are on them, or will be by what has been decided already.

Law: only ``Cluster.add``, ``Cluster.remove`` and ``Cluster.assume`` change it.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage


@dataclasses.dataclass(slots=True)
class NodeState:
    """One node: what it is, who is on it, and what they take in all."""

    host: nodes.NodeView
    pods: "dict[str, pods.PodView]" = dataclasses.field(default_factory=dict)  # by UID
    used: dict[str, int] = dataclasses.field(default_factory=dict)  # amounts by resource, see ``amounts``

    @property
    def name(self) -> str:
        """The node's name."""
        return self.host.name


class Sums(Protocol):
    """Sums over the pods that are on nodes. Hashable, and equal to another that sums up the same."""

    def count(self, pod: pods.PodView, node: NodeState, by: int) -> None:
        """Count a pod that came to the node (``by`` is 1), or that left it (-1)."""


_S = TypeVar("_S", bound=Sums)


class Cluster:
    """All nodes, not only those with NeuronCores: spread and affinity count them all."""

    def __init__(
        self,
        known_nodes: Iterable[nodes.NodeView] = (),
        namespaces: Mapping[str, Mapping[str, str]] | None = None,
        stored: storage.Storage = storage.EMPTY,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self.nodes = {node.name: NodeState(node) for node in known_nodes}
        self.namespaces = namespaces or {}  # the labels of each
        self.storage = stored
        self.relations = 0
        self._sums: dict[Sums, Any] = {}  # each under itself, of its own type
        self._without_node: dict[str, dict[str, pods.PodView]] = {}
        self._on_change = on_change

    def _tell(self, name):
        if self._on_change: self._on_change(name)

    def put_node(self, host):
        state = self.nodes.get(host.name)
        there = dict(state.pods) if state else self._without_node.pop(host.name, {})
        self.nodes[host.name] = NodeState(host)
        self._sums.clear()
        for pod in there.values():
            self.add(pod, host.name)
        self.relations += 1
        self._tell(host.name)

    def drop_node(self, name):
        state = self.nodes.pop(name)
        self._without_node[name] = dict(state.pods)
        self._sums.clear()
        self.relations += 1
        self._tell(name)

    @contextlib.contextmanager
    def without(self, pod, node):
        state = self.nodes[node]
        on_change, self._on_change = self._on_change, None
        relations = self.relations
        there = pod.uid in state.pods
        self.remove(pod, node)
        yield state
        if there:
            self.add(pod, node)
        self._on_change = on_change
        self.relations = relations

    def know(self, namespaces):
        self.namespaces = namespaces
        self._sums.clear()
        self.relations += 1

    def add(self, pod: pods.PodView, node: str) -> None:
        """Note that a pod is, or will be, on a node; nodes that do not exist are left out, a pod counts once."""
        state = self.nodes.get(node)
        if state is None:
            self._without_node.setdefault(node, {})[pod.uid] = pod
            return
        if pod.uid in state.pods:
            return
        state.pods[pod.uid] = pod
        for resource, amount in pod.amounts.items():
            state.used[resource] = state.used.get(resource, 0) + amount
        self._changed(pod, state, 1)

    def remove(self, pod: pods.PodView, node: str) -> None:
        """Take back an ``add``."""
        state = self.nodes.get(node)
        if state is None:
            self._without_node.get(node, {}).pop(pod.uid, None)
        added = None if state is None else state.pods.pop(pod.uid, None)
        if state is None or added is None:
            return
        for resource, amount in added.amounts.items():
            state.used[resource] -= amount
        self._changed(added, state, -1)

    def keep(self, empty: _S) -> _S:
        """Return the sums that equal ``empty``, kept up to date: those that are there already, or itself, filled."""
        kept: _S | None = self._sums.get(empty)
        if kept is not None:
            return kept
        self._sums[empty] = empty
        for state in self.nodes.values():
            for pod in state.pods.values():
                empty.count(pod, state, 1)
        return empty

    def _changed(self, pod: pods.PodView, state: NodeState, by: int) -> None:
        self.relations += 1
        self._tell(state.name)
        for each in self._sums.values():
            each.count(pod, state, by)

    def assume(self, stored: storage.Storage) -> None:
        """Take what will be known of volumes once what was decided is stored; an earlier ``storage`` takes it back."""
        self.storage = stored
        self.relations += 1
