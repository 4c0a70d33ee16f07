"""What is known of the cluster, kept up to date by what changed. Pure.

Law: facts say what a snapshot of the same moment would; ``take`` costs what changed, never what there is.
"""

import collections
import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, NamedTuple, TypeVar

from neuronspan_operator.objects import budgets, neuron_nodes, nodes, pods, pools
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.planning import plans, snapshot

T = TypeVar("T")

_NOTHING: Final[Mapping[str, Any]] = types.MappingProxyType({})


class Changes(NamedTuple):
    """What is otherwise than before, by UID of a pod and by name of all else; None stands for what is not there now.

    ``gone`` says of pods whether they are known not to exist any more, ``avoided`` where pods must not be sent now,
    ``held_back`` which waiting pods are not planned for now, ``spared`` which pods the API server would not evict
    lately. Without ``storage`` that is as it was.
    """

    pods: "Mapping[str, pods.PodView | None]" = _NOTHING
    nodes: "Mapping[str, nodes.NodeView | None]" = _NOTHING
    members: "Mapping[str, pools.Member | None]" = _NOTHING
    pools: "Mapping[str, pools.PoolView | None]" = _NOTHING
    namespaces: "Mapping[str, Mapping[str, str] | None]" = _NOTHING
    gone: "Mapping[str, bool]" = _NOTHING
    avoided: "Mapping[str, frozenset[str]]" = _NOTHING
    held_back: "Mapping[str, bool]" = _NOTHING
    spared: "Mapping[str, bool]" = _NOTHING
    budgets: "Mapping[str, budgets.Budget | None]" = _NOTHING
    storage: "storage.Storage | None" = None

    def __bool__(self) -> bool:
        return any(self)


Pair = tuple[T | None, T | None]
"""A value before and after; None where there was or is none."""


@dataclasses.dataclass(slots=True)
class Touched:
    """What really became otherwise: by key, what was known before and what is known now."""

    pods: "dict[str, Pair[pods.PodView]]"
    nodes: "dict[str, Pair[nodes.NodeView]]"
    neuron_nodes: "dict[str, Pair[neuron_nodes.NeuronNodeView]]"
    policies: set[str]  # names of nodes
    gone: set[str]  # UIDs
    avoided: set[str]  # UIDs
    namespaces: bool
    storage: bool
    endings: bool  # whether other pods may be ended than before


class _Kept(Generic[T]):
    """Values by key, and what they were before the changes that are being taken."""

    def __init__(self) -> None:
        self.values: dict[str, T] = {}
        self._before: dict[str, T | None] = {}

    def put(self, key: str, value: T | None) -> None:
        before = self.values.get(key)
        if value == before:
            return
        self._before.setdefault(key, before)
        if value is None:
            del self.values[key]
        else:
            self.values[key] = value

    def touched(self) -> dict[str, Pair[T]]:
        """Return what changed since the last call."""
        if not self._before:
            return {}
        found = {key: (before, self.values.get(key)) for key, before in self._before.items()}
        self._before = {}
        return found


class Facts:
    """Everything that planning reads; its ``snapshot`` is a live view, valid until the next ``take``."""

    def __init__(self, *, starvation_seconds: float = 0.0) -> None:
        self._starvation_seconds = starvation_seconds
        self._pods: _Kept[pods.PodView] = _Kept()
        self._nodes: _Kept[nodes.NodeView] = _Kept()
        self._neuron_nodes: _Kept[neuron_nodes.NeuronNodeView] = _Kept()
        self._policies: _Kept[pools.Policy] = _Kept()
        self._namespaces: _Kept[Mapping[str, str]] = _Kept()
        self._avoided: _Kept[frozenset[str]] = _Kept()
        self._budgets: _Kept[budgets.Budget] = _Kept()
        self._storage = storage.EMPTY
        self._gone: set[str] = set()
        self._spared: set[str] = set()
        self._held_back: dict[str, pods.PodView | None] = {}
        self._hosts: dict[str, nodes.NodeView] = {}  # as they are, whatever becomes of their pools
        self._members: dict[str, pools.Member] = {}
        self._pools: dict[str, pools.PoolView] = {}
        self._members_of: dict[str, set[str]] = collections.defaultdict(set)
        self._snapshot = self._view()

    def snapshot(self) -> plans.Snapshot:
        """Return what is known now."""
        if self._snapshot.storage is not self._storage:
            self._snapshot = self._view()
        return self._snapshot

    def _view(self) -> plans.Snapshot:
        return plans.Snapshot(
            self._pods.values,
            self._nodes.values,
            self._neuron_nodes.values,
            self._policies.values,
            self._gone,
            self._avoided.values,
            self._namespaces.values,
            self._storage,
            self._budgets.values,
            self._spared,
            self._starvation_seconds,
        )

    def take(self, changes: Changes) -> Touched:
        """Take over what changed."""
        self._hold_back(changes.held_back)
        for uid, pod in changes.pods.items():
            if uid in self._held_back:
                self._held_back[uid] = pod
            else:
                self._pods.put(uid, pod)
        if changes.pools or changes.members or changes.nodes:
            self._take_nodes(changes)
        for uid, names in changes.avoided.items():
            self._avoided.put(uid, names or None)
        for name, labels in changes.namespaces.items():
            self._namespaces.put(name, labels)
        for name, budget in changes.budgets.items():
            self._budgets.put(name, budget)
        gone, spared = _toggle(self._gone, changes.gone), _toggle(self._spared, changes.spared)
        return self._touched(gone, self._take_storage(changes.storage), spared)

    def fill(self, found: plans.Snapshot) -> Touched:
        """Take over a whole snapshot; only once, and before anything else."""
        _fill(self._pods, found.pods)
        _fill(self._nodes, found.nodes)
        _fill(self._neuron_nodes, found.neuron_nodes)
        _fill(self._policies, found.policies)
        _fill(self._namespaces, found.namespaces)
        _fill(self._avoided, found.avoided)
        _fill(self._budgets, found.budgets)
        self._starvation_seconds = found.starvation_seconds
        self._snapshot = self._view()
        gone, spared = (dict.fromkeys(uids, True) for uids in (found.gone, found.spared))
        gone_now, spared_now = _toggle(self._gone, gone), _toggle(self._spared, spared)
        return self._touched(gone_now, self._take_storage(found.storage), spared_now)

    # --- inside --------------------------------------------------------------------------------------------------

    def _touched(self, gone: set[str], stored: bool, spared: set[str]) -> Touched:
        return Touched(
            pods=self._pods.touched(),
            nodes=self._nodes.touched(),
            neuron_nodes=self._neuron_nodes.touched(),
            policies=set(self._policies.touched()),
            gone=gone,
            avoided=set(self._avoided.touched()),
            namespaces=bool(self._namespaces.touched()),
            storage=stored,
            endings=bool(spared or self._budgets.touched()),
        )

    def _hold_back(self, held_back: Mapping[str, bool]) -> None:
        for uid, held in held_back.items():
            if held and uid not in self._held_back:
                self._held_back[uid] = self._pods.values.get(uid)
                self._pods.put(uid, None)
            elif not held and uid in self._held_back:
                self._pods.put(uid, self._held_back.pop(uid))

    def _take_nodes(self, changes: Changes) -> None:
        affected = {*self._take_pools(changes.pools), *self._take_members(changes.members), *changes.nodes}
        for name, host in changes.nodes.items():
            _put(self._hosts, name, host)
        for name in affected:
            self._renew_node(name)

    def _take_pools(self, changed: Mapping[str, pools.PoolView | None]) -> Iterator[str]:
        for name, pool in changed.items():
            _put(self._pools, name, pool)
            yield from self._members_of[name]

    def _take_members(self, changed: Mapping[str, pools.Member | None]) -> Iterator[str]:
        for name, member in changed.items():
            before = self._members.get(name)
            if before is not None:
                self._members_of[before.pool].discard(name)
            if member is not None:
                self._members_of[member.pool].add(name)
            _put(self._members, name, member)
            yield name

    def _renew_node(self, name: str) -> None:
        """Find out anew what follows for a node from its Node, its NeuronNode and their pool together."""
        host, member = self._hosts.get(name), self._members.get(name)
        pool = None if member is None else self._pools.get(member.pool)
        self._nodes.put(name, None if host is None else snapshot.drained(host, pool))
        self._neuron_nodes.put(name, None if member is None else member.view)
        self._policies.put(name, None if pool is None else pool.policy)

    def _take_storage(self, changed: "storage.Storage | None") -> bool:
        if changed is None or changed == self._storage:
            return False
        self._storage = changed
        return True


def _fill(kept: _Kept[T], values: Mapping[str, T]) -> None:
    for key, value in values.items():
        kept.put(key, value)


def _toggle(uids: set[str], changed: Mapping[str, bool]) -> set[str]:
    """Take over which UIDs are among these now, and return those that changed."""
    found = {uid for uid, among in changed.items() if among is not (uid in uids)}
    uids ^= found
    return found


def _put(values: dict[str, T], key: str, value: T | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
