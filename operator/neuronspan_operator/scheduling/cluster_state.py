"""The cluster as filters see it: nodes with the pods that are on them, or will be by what has been decided already.

Law: kept for ever and changed node by node and pod by pod; what it says is what a cluster made anew would say.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import pod_constraints, pod_terms, storage
from neuronspan_operator.scheduling.counting import node_states, placed_terms, sums

_S = TypeVar("_S", bound=sums.Sums)
_T = TypeVar("_T")


class Cluster:
    """All nodes, not only those with NeuronCores: spread and affinity count them all.

    ``on_change`` is told the name of each node about which something changed. ``relations`` grows with every change
    that pods may see on other nodes than where it happened: who remembers verdicts of a pod remembers its value, and
    when it grew makes the pod's ``Screen`` anew; unless that is plain, all nodes have to be judged again.
    """

    def __init__(
        self,
        known_nodes: Iterable[nodes.NodeView] = (),
        namespaces: Mapping[str, Mapping[str, str]] | None = None,
        stored: storage.Storage = storage.EMPTY,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        self.nodes: dict[str, node_states.NodeState] = {}
        self.namespaces: Mapping[str, Mapping[str, str]] = namespaces or {}  # the labels of each
        self.storage = stored
        self.terms = placed_terms.PlacedTerms()
        self._sums = sums.Store()
        self._by_namespace: dict[
            str, dict[tuple[str, str], node_states.NodeState]
        ] = {}  # where pods are, by UID and node
        self._without_node: dict[str, dict[str, pods.PodView]] = {}  # pods on nodes that do not exist, by node and UID
        self._resolved: dict[pod_terms.AffinityTerm, pod_terms.AffinityTerm] = {}
        self._of_storage: dict[Any, Any] = {}
        self._changes = 0
        self._renamed = 0  # how often labels of namespaces changed
        self._is_glance = False  # what changes now is taken back at once, see ``without``
        self._on_change = on_change
        for each in known_nodes:
            self.put_node(each)

    @property
    def relations(self) -> int:
        """The number of changes so far that pods may see on other nodes than where they happened."""
        return self._changes + self._sums.forgotten + self.terms.forgotten

    @property
    def opinions(self) -> int:
        """The number of changes so far of whether pods forbid other pods anything: of who is plain, in short."""
        return self._renamed + self.terms.opinions + self.terms.forgotten

    # --- what changes it ------------------------------------------------------------------------------------------

    def put_node(self, host: nodes.NodeView) -> None:
        """Take a new node, or what a node is now; its pods stay."""
        state = self.nodes.get(host.name)
        if state is None:
            self.nodes[host.name] = node_states.NodeState(host)
            self._changes += 1
            for each in self._sums:
                each.settle((host,), 1)
            for pod in self._without_node.pop(host.name, {}).values():
                self.add(pod, host.name)
        else:
            self._move(state, host)
            state.host = host
        self._tell(host.name)

    def drop_node(self, name: str) -> None:
        """Forget a node; the pods that are said to be on it do not count until it is there again."""
        state = self.nodes.get(name)
        if state is None:
            return
        left = dict(state.pods)
        for pod in left.values():
            self.remove(pod, name)
        if left:
            self._without_node[name] = left
        for each in self._sums:
            each.settle((state.host,), -1)
        del self.nodes[name]
        self._changes += 1
        self._tell(name)

    def add(self, pod: pods.PodView, node: str) -> None:
        """Note that a pod is, or will be, on a node; a pod counts once, and not while its node does not exist."""
        state = self.nodes.get(node)
        if state is None:
            self._without_node.setdefault(node, {}).setdefault(pod.uid, pod)
        elif pod.uid not in state.pods:
            state.take(pod)
            self._by_namespace.setdefault(pod.namespace, {})[pod.uid, node] = state
            self._count(pod, state.host, 1)
            self._tell(node)

    def remove(self, pod: pods.PodView, node: str) -> None:
        """Take back an ``add``; what the pod has become since then does not matter."""
        state = self.nodes.get(node)
        if state is None:
            waiting = self._without_node.get(node, {})
            waiting.pop(pod.uid, None)
            if not waiting:
                self._without_node.pop(node, None)
            return
        added = state.lose(pod.uid)
        if added is not None:
            home = self._by_namespace[added.namespace]
            del home[added.uid, node]
            if not home:
                del self._by_namespace[added.namespace]
            self._count(added, state.host, -1)
            self._tell(node)

    def replace(self, pod: pods.PodView, node: str) -> None:
        """Take a newer version of a pod of which nothing counts otherwise."""
        state = self.nodes.get(node)
        there = self._without_node.get(node, {}) if state is None else state.pods
        if pod.uid in there:
            there[pod.uid] = pod
        if state is not None and pod.uid in state.with_volumes:
            state.with_volumes[pod.uid] = pod

    @contextlib.contextmanager
    def without(self, gone: Iterable[pods.PodView], node: str) -> Iterator[node_states.NodeState]:
        """Look at the cluster as it would be without some pods on a node, and give that node; nobody is told."""
        state, self._is_glance = self.nodes[node], True
        left = [state.pods[each.uid] for each in gone if each.uid in state.pods]
        opinions = self.terms.opinions
        try:
            for pod in left:
                self.remove(pod, node)
            yield state
        finally:
            for pod in left:
                self.add(pod, node)
            self._is_glance = False
            self.terms.opinions = opinions

    def know(self, namespaces: Mapping[str, Mapping[str, str]]) -> None:
        """Take the labels of all namespaces as they are now."""
        self.namespaces = namespaces
        self._resolved.clear()
        self._renamed += 1
        self._changes += 1

    def assume(self, stored: storage.Storage) -> None:
        """Take what will be known of volumes once what was decided is stored; an earlier ``storage`` takes it back."""
        self.storage = stored
        self._of_storage.clear()
        self._changes += 1

    # --- what is asked of it --------------------------------------------------------------------------------------

    def keep(self, empty: _S) -> _S:
        """Return the sums that equal ``empty``, kept up to date: those that are there already, or itself, filled."""
        kept = self._sums.find(empty)
        if kept is not None:
            return kept
        self._sums.put(empty)
        empty.settle((state.host for state in self.nodes.values()), 1)
        homes = empty.meaning.namespaces
        for home in self._by_namespace if homes is None else homes:
            for (uid, _), state in self._by_namespace.get(home, {}).items():
                empty.count(state.pods[uid], state.host, 1)
        return empty

    def resolved(self, term: pod_terms.AffinityTerm) -> pod_terms.AffinityTerm:
        """Return a term with the names of the namespaces that it means now."""
        if term.namespace_selector.nothing or term.namespace_selector.everything:
            return term
        found = self._resolved.get(term)
        if found is None:
            if len(self._resolved) >= sums.MOST:
                self._resolved.clear()
            found = self._resolved[term] = term.resolved(self.namespaces)
        return found

    def of_storage(self, make: Callable[[storage.Storage], _T]) -> _T:
        """Return what ``make`` finds in storage, remembered until that changes."""
        if make not in self._of_storage:
            self._of_storage[make] = make(self.storage)
        found: _T = self._of_storage[make]
        return found

    def _count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> None:
        counted = self._sums.count(pod, host, by)
        if pod.constraints is not pod_constraints.NONE and pod.constraints.pod_affinity:
            counted = self.terms.count(pod, host, by, self.namespaces) or counted
        if counted and not self._is_glance:
            self._changes += 1

    def _move(self, state: node_states.NodeState, host: nodes.NodeView) -> None:
        """Bring the node's pods to where they are counted now."""
        before = state.host
        if (before.labels, before.taints) == (host.labels, host.taints):
            return
        moved = [each for each in self._sums if each.place(before) != each.place(host)]
        for each in moved:
            for pod in state.pods.values():
                each.count(pod, before, -1)
            each.settle((before,), -1)
            each.settle((host,), 1)
            for pod in state.pods.values():
                each.count(pod, host, 1)
        of_terms = self.terms.place(before) != self.terms.place(host)
        for pod in state.pods.values() if of_terms else ():
            self.terms.count(pod, before, -1, self.namespaces)
            self.terms.count(pod, host, 1, self.namespaces)
        self._changes += bool(moved or of_terms)

    def _tell(self, node: str) -> None:
        if self._on_change is not None and not self._is_glance:
            self._on_change(node)
