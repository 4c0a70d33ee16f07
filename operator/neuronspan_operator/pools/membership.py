"""Which node gets a NeuronNode with which hardware, and when it is taken away again. Pure.

Law: hardware never changes under a grant, and a node never changes hands silently: what cannot be done is a condition
with its reason, and is done when it can be. The NeuronNode of a node that is gone goes as a whole, when every grant is
a tombstone and the quarantine of the last one is over: what ran there may still run, and the next Node of that name is
served only after its own plugin has looked.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan import instance_types
from neuronspan_operator.objects import neuron_nodes, nodes, pools


@dataclasses.dataclass(frozen=True, slots=True)
class Creation:
    """Make the NeuronNode of this node."""

    node: nodes.NodeView
    pool: str
    hardware: instance_types.Hardware

    def manifest(self, core_numbering: str) -> dict[str, Any]:
        """Return the object to create."""
        made = neuron_nodes.manifest(self.node, self.hardware, core_numbering)
        return made | {"metadata": {**made["metadata"], "labels": {pools.POOL_LABEL: self.pool}}}


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What gives an existing NeuronNode another pool or hardware, if it has not changed since it was read."""

    name: str
    resource_version: str
    pool: str
    hardware: instance_types.Hardware | None  # None: it has the right one already

    @property
    def patch(self) -> dict[str, Any]:
        """The merge patch; its resourceVersion makes it a compare-and-swap."""
        metadata = {
            "resourceVersion": self.resource_version,
            "labels": {pools.POOL_LABEL: self.pool},
            "ownerReferences": None,  # see neuron_nodes.manifest
        }
        if self.hardware is None:
            return {"metadata": metadata}
        cores = self.hardware.cores
        summary = {"granted": 0, "free": cores, "largestFreeRun": cores}
        return {"metadata": metadata, "spec": {"hardware": self.hardware.to_dict(), "cores": cores, **summary}}


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    """Delete a NeuronNode that no pool wants, if it has not changed since it was read."""

    name: str
    resource_version: str


@dataclasses.dataclass(slots=True)
class Findings:
    """What is remarkable about one pool, by node."""

    members: list[pools.Member] = dataclasses.field(default_factory=list)
    conflicts: dict[str, str] = dataclasses.field(default_factory=dict)
    pending: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Decision:
    """Everything to do now."""

    creations: list[Creation] = dataclasses.field(default_factory=list)
    changes: list[Change] = dataclasses.field(default_factory=list)
    removals: list[Removal] = dataclasses.field(default_factory=list)
    findings: dict[str, Findings] = dataclasses.field(default_factory=dict)
    wake_at: dt.datetime | None = None
    """When there is more to do even if nothing changes: the end of the first quarantine."""


def decide(
    known_pools: Mapping[str, pools.PoolView],
    cluster: Mapping[str, nodes.NodeView],
    members: Mapping[str, pools.Member],
    now: dt.datetime,
) -> Decision:
    """Compare what pools want with the NeuronNodes there are; all mappings by name, ``now`` timezone-aware."""
    decision = Decision(findings={name: Findings() for name in known_pools})
    for name in sorted(cluster.keys() | members.keys()):
        node, member = cluster.get(name), members.get(name)
        if member is not None and member.pool in decision.findings:
            decision.findings[member.pool].members.append(member)
        wanting = [] if node is None else [pool for pool in known_pools.values() if pool.selects(node)]
        _note_conflict(decision, name, wanting, member)
        if member is None:
            _create(decision, node, wanting)
        elif member.view.deleted:
            continue
        elif node is None:
            pool = known_pools.get(member.pool)
            _give_up(decision, member, pools.Policy() if pool is None else pool.policy, now)
        else:
            _adjust(decision, wanting, member)
    return decision


def _note_conflict(
    decision: Decision, name: str, wanting: Iterable[pools.PoolView], member: pools.Member | None
) -> None:
    rivals = sorted(pool.name for pool in wanting)
    if len(rivals) < 2:  # noqa: PLR2004  one pool alone has no rival
        return
    keeper = member.pool if member is not None else ""
    outcome = f"it stays with {keeper}" if keeper else "it gets no NeuronCores"
    for rival in rivals:
        decision.findings[rival].conflicts[name] = f"node {name} is selected by {' and '.join(rivals)}: {outcome}"


def _create(decision: Decision, node: nodes.NodeView | None, wanting: list[pools.PoolView]) -> None:
    if node is None or node.deleted or len(wanting) != 1:
        return
    (pool,) = wanting
    if pool.hardware is not None:
        decision.creations.append(Creation(node, pool.name, pool.hardware))


def _give_up(decision: Decision, member: pools.Member, policy: pools.Policy, now: dt.datetime) -> None:
    """Remove the NeuronNode of a node that is gone, once no process can be using its cores any more."""
    if not member.pool:
        return  # made by hand: not ours to delete
    since = member.released_at
    if since is None:
        _postpone(decision, member, f"its ledger stays until its pods are gone, too: {member.users}")
        return
    end = since + dt.timedelta(seconds=policy.quarantine_seconds)
    if end <= now:
        decision.removals.append(Removal(member.view.name, member.view.resource_version))
        return
    decision.wake_at = end if decision.wake_at is None else min(end, decision.wake_at)
    stays = f"its ledger stays for {policy.quarantine_seconds:g} s after its last pod, whose processes may still run"
    _postpone(decision, member, stays)


def _postpone(decision: Decision, member: pools.Member, why: str) -> None:
    if member.pool in decision.findings:
        name = member.view.name
        decision.findings[member.pool].pending[name] = f"node {name} is gone: {why}"


def _adjust(decision: Decision, wanting: list[pools.PoolView], member: pools.Member) -> None:
    """Bring an existing NeuronNode in line with the one pool that has or should have it."""
    keeping = [pool for pool in wanting if pool.name == member.pool]
    candidates = keeping or wanting
    if member.pool and not candidates:  # one without a label was made by hand: not ours to delete
        _dismiss(decision, member)
    elif len(candidates) == 1 and candidates[0].hardware is not None:
        _apply(decision, member, candidates[0], candidates[0].hardware)


def _dismiss(decision: Decision, member: pools.Member) -> None:
    if member.idle:
        decision.removals.append(Removal(member.view.name, member.view.resource_version))
    elif member.pool in decision.findings:
        text = f"node {member.view.name} leaves the pool when it is empty: {member.users}"
        decision.findings[member.pool].pending[member.view.name] = text


def _apply(decision: Decision, member: pools.Member, pool: pools.PoolView, hardware: instance_types.Hardware) -> None:
    name, version = member.view.name, member.view.resource_version
    if member.view.hardware == hardware:
        if member.pool != pool.name or member.view.owned:
            decision.changes.append(Change(name, version, pool.name, None))
    elif member.idle:
        decision.changes.append(Change(name, version, pool.name, hardware))
    else:
        text = f"node {name} keeps its present hardware until it is empty: {member.users}"
        decision.findings[pool.name].pending[name] = text
