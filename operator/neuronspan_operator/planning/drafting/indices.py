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
        self.groups.move(uid, _group(before), _group(after))
        self.dying.move(uid, _dying_on(before), _dying_on(after))
        for pod, by in ((before, -1), (after, 1)):
            if pod is not None and pod.node_name and not pod.terminal:
                self._priorities[pod.priority] += by
                if not self._priorities[pod.priority]:
                    del self._priorities[pod.priority]
        _mark(self.waiting, uid, yes=after is not None and after.waits)
        self._mark_in_flight(uid)
        _mark(self.let_go, uid, yes=after is not None and _is_let_go(after))
        if before is not None and _is_bound(before):
            found = self._bound[before.node_name]
            del found[uid]
            if not found:
                del self._bound[before.node_name]
        if after is not None and _is_bound(after):
            self._bound.setdefault(after.node_name, {})[uid] = after

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
        _mark(self._in_flight, uid, yes=uid in self.waiting and uid in self.holders)


def _mark(names: set[str], name: str, *, yes: bool) -> None:
    if yes:
        names.add(name)
    else:
        names.discard(name)


def _group(pod: pods.PodView | None) -> list[GroupKey]:
    return [(pod.namespace, pod.pod_group)] if pod is not None and pod.pod_group else []


def _dying_on(pod: pods.PodView | None) -> list[str]:
    return [pod.node_name] if pod is not None and pod.node_name and pod.deleted and not pod.terminal else []


def _is_let_go(pod: pods.PodView) -> bool:
    return not (pod.unplaced or pod.terminal or pod.node_name)


def _is_bound(pod: pods.PodView) -> bool:
    return bool(pod.requests and pod.node_name) and not pod.terminal


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
