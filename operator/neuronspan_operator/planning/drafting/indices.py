"""Where to look: which nodes and pods have to do with which others. Pure.

Law: an index says what a look at all pods and all NeuronNodes would find, and is kept by what changed.
"""

import collections
from collections.abc import Hashable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from neuronspan_operator.objects import neuron_nodes, nodes, pods

K = TypeVar("K", bound=Hashable)

_NONE: Final[frozenset[str]] = frozenset()
_NOBODY: Final[Mapping[str, pods.PodView]] = {}


class Lookup(Generic[K]):
    """Names by key; a key without any costs nothing."""

    def __init__(self) -> None:
        self._names: dict[K, set[str]] = {}

    def __contains__(self, key: object) -> bool:
        return key in self._names

    def __iter__(self) -> Iterator[K]:
        return iter(self._names)

    def of(self, key: K) -> AbstractSet[str]:
        """Return the names under this key."""
        return self._names.get(key, _NONE)

    def put(self, key: K, name: str) -> None:
        """Enter a name."""
        self._names.setdefault(key, set()).add(name)

    def drop(self, key: K, name: str) -> None:
        """Take a name out."""
        found = self._names.get(key)
        if found is not None:
            found.discard(name)
            if not found:
                del self._names[key]

    def move(self, name: str, before: Iterable[K], after: Iterable[K]) -> None:
        """Have a name under other keys."""
        for key in before:
            self.drop(key, name)
        for key in after:
            self.put(key, name)


GroupKey = tuple[str, str]  # namespace, and the group's name


class Indices:
    """Indices of pods, by UID, and nodes, by name."""

    def __init__(self) -> None:
        self.holders: Lookup[str] = Lookup()  # nodes whose stored ledger mentions the pod
        self.released_on: Lookup[str] = Lookup()  # nodes whose plugin reports that nothing of the pod is left
        self.mentions: Lookup[str] = Lookup()  # nodes that mention the pod in any way
        self.hostnames: Lookup[str] = Lookup()  # nodes by the value of their host name label
        self.groups: Lookup[GroupKey] = Lookup()  # pods by the group they name
        self.waiting: set[str] = set()
        self.let_go: set[str] = set()  # pods that were let go and are not on a node, be they deleted by now
        self._in_flight: set[str] = set()
        self.dying: Lookup[str] = Lookup()  # pods that are being deleted, by node
        self._bound: dict[str, dict[str, pods.PodView]] = {}
        self._priorities: collections.Counter[int] = collections.Counter()  # of the pods that have a node

    def bound(self, node: str) -> Mapping[str, pods.PodView]:
        """Return the pods that ask for cores and are on the node, by UID."""
        return self._bound.get(node, _NOBODY)

    @property
    def lowest_priority(self) -> int | None:
        """The lowest priority of any pod that has a node."""
        return min(self._priorities, default=None)

    def in_flight(self) -> list[str]:
        """Return the waiting pods that have grants."""
        return sorted(self._in_flight)

    def replace_pod(self, uid: str, before: pods.PodView | None, after: pods.PodView | None) -> None:
        """Take a newer version of a pod, or that it came or went."""
        if before is not None:
            self._leave(uid, before)
        if after is not None:
            self._enter(uid, after)
        if uid in self.waiting or uid in self._in_flight:
            self._mark_in_flight(uid)

    def _leave(self, uid: str, pod: pods.PodView) -> None:
        """Take out a pod as it was."""
        if pod.pod_group:
            self.groups.drop((pod.namespace, pod.pod_group), uid)
        self.waiting.discard(uid)
        self.let_go.discard(uid)
        if not pod.node_name or pod.terminal:
            return
        self._priorities[pod.priority] -= 1
        if not self._priorities[pod.priority]:
            del self._priorities[pod.priority]
        if pod.deleted:
            self.dying.drop(pod.node_name, uid)
        if pod.requests:
            found = self._bound[pod.node_name]
            del found[uid]
            if not found:
                del self._bound[pod.node_name]

    def _enter(self, uid: str, pod: pods.PodView) -> None:
        """Put in a pod as it is now."""
        if pod.pod_group:
            self.groups.put((pod.namespace, pod.pod_group), uid)
        if pod.terminal:
            return
        if pod.unplaced:
            if not pod.deleted:
                self.waiting.add(uid)
        elif not pod.node_name:
            self.let_go.add(uid)
        if pod.node_name:
            self._priorities[pod.priority] += 1
            if pod.deleted:
                self.dying.put(pod.node_name, uid)
            if pod.requests:
                self._bound.setdefault(pod.node_name, {})[uid] = pod

    def replace_node(self, name: str, before: nodes.NodeView | None, after: nodes.NodeView | None) -> bool:
        """Take a newer version of a node; True when its host name is another one now."""
        old, new = ([] if each is None else [each.hostname] for each in (before, after))
        self.hostnames.move(name, old, new)
        return old != new

    def replace_neuron_node(
        self, name: str, before: neuron_nodes.NeuronNodeView | None, after: neuron_nodes.NeuronNodeView | None
    ) -> set[str]:
        """Take a newer version of a NeuronNode; return the UIDs that it mentions otherwise than before."""
        changed: set[str] = set()
        for lookup, read in ((self.holders, _granted), (self.released_on, _released), (self.mentions, _mentioned)):
            old, new = read(before), read(after)
            lookup.move(name, old - new, new - old)
            changed |= old ^ new
        for uid in changed:
            self._mark_in_flight(uid)
        return changed

    def _mark_in_flight(self, uid: str) -> None:
        if uid in self.waiting and uid in self.holders:
            self._in_flight.add(uid)
        else:
            self._in_flight.discard(uid)


def _granted(view: neuron_nodes.NeuronNodeView | None) -> AbstractSet[str]:
    if view is None or view.ledger is None or view.hardware is None:
        return _NONE
    return {grant.pod_uid for grant in view.ledger.grants}


def _released(view: neuron_nodes.NeuronNodeView | None) -> AbstractSet[str]:
    """Return what a node's plugin released; of one whose ledger cannot be read it does not count."""
    return _NONE if view is None or view.ledger is None or view.hardware is None else view.released


def _mentioned(view: neuron_nodes.NeuronNodeView | None) -> AbstractSet[str]:
    if view is None:
        return _NONE
    return {*_granted(view), *_released(view), *(held.pod_uid for held in view.held)}
