"""Whether one node gets a NeuronNode with which hardware, and when that is taken away again. Pure.

Law: hardware never changes under a grant, and a node never changes hands silently: what cannot be done is a condition
with its reason, and is done when it can be. The NeuronNode of a node that is gone goes as a whole, when every grant is
a tombstone and the quarantine of the last one is over: what ran there may still run, and the next Node of that name is
served only after its own plugin has looked.
"""

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan import instance_types, names
from neuronspan_operator.objects import neuron_nodes, nodes, pools


@dataclasses.dataclass(frozen=True, slots=True)
class Creation:
    """Make the NeuronNode of this node."""

    node: nodes.NodeView
    pool: str
    hardware: instance_types.Hardware | None  # None: it is to be asked what it has

    def manifest(self, core_numbering: str) -> dict[str, Any]:
        """Return the object to create."""
        if self.hardware is None:
            made = neuron_nodes.manifest_to_detect(self.node)
        else:
            made = neuron_nodes.manifest(self.node, self.hardware, core_numbering)
        return made | {"metadata": {**made["metadata"], "labels": {pools.POOL_LABEL: self.pool}}}


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What gives an existing NeuronNode another pool or hardware, if it has not changed since it was read."""

    name: str
    resource_version: str
    pool: str
    spec: Mapping[str, Any]  # what changes of it; nothing when the hardware is right already

    def patch(self, core_numbering: str) -> dict[str, Any]:
        """Return the merge patch; its resourceVersion makes it a compare-and-swap.

        A node that is asked no more what it has counts its cores as simulated nodes do again.
        """
        metadata = {
            "resourceVersion": self.resource_version,
            "labels": {pools.POOL_LABEL: self.pool},
            "ownerReferences": None,  # see neuron_nodes.manifest
        }
        simulated = "detect" in self.spec and self.spec["detect"] is None
        spec = {**self.spec, **({"coreNumbering": core_numbering} if simulated else {})}
        return {"metadata": metadata, **({"spec": spec} if spec else {})}


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    """Delete a NeuronNode that no pool wants, if it has not changed since it was read."""

    name: str
    resource_version: str


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Label a Node that has a NeuronNode, or take the label away: the device plugin's place, whatever pools select.

    A node that leaves its pool keeps its ledger until it is empty, and only its plugin can prove that it is.
    """

    name: str
    present: bool

    @property
    def patch(self) -> dict[str, Any]:
        """The merge patch of the Node; no one else writes this label."""
        return {"metadata": {"labels": {names.LEDGER_LABEL: names.LEDGER_VALUE if self.present else None}}}


@dataclasses.dataclass(slots=True)
class Standing:
    """What follows for one node from the pools there are."""

    member: pools.Member | None
    mark: Mark | None = None
    """The label that its Node lacks, or has without reason."""
    write: Creation | Change | Removal | None = None
    """What is to be done now."""
    rivals: tuple[str, ...] = ()
    """The pools that select it, when they are several; ``conflict`` says what comes of that."""
    conflict: str = ""
    pending_in: str = ""
    """The pool that has to wait for it; ``pending`` says why."""
    pending: str = ""
    undetected: str = ""
    """Why the hardware of this member, which is asked what it has, is not known."""
    wake_at: dt.datetime | None = None
    """When there is more to do even if nothing changes: the end of its quarantine."""


def of_node(
    known_pools: Mapping[str, pools.PoolView],
    node: nodes.NodeView | None,
    member: pools.Member | None,
    now: dt.datetime,
) -> Standing:
    """Compare what pools want with the NeuronNode there is; Node and NeuronNode have one name, and one may lack."""
    standing = Standing(member, None if node is None else _mark(node, member))
    wanting = [] if node is None else [pool for pool in known_pools.values() if pool.selects(node)]
    if node is not None:
        _note_conflict(standing, node.name, wanting)
    if member is None:
        _create(standing, node, wanting)
    elif not member.view.deleted:
        if node is None:
            pool = known_pools.get(member.pool)
            _give_up(standing, member, pools.Policy() if pool is None else pool.policy, now)
        else:
            _adjust(standing, node, wanting, member)
    return standing


def _mark(node: nodes.NodeView, member: pools.Member | None) -> Mark | None:
    marked = node.labels.get(names.LEDGER_LABEL) == names.LEDGER_VALUE
    return None if marked == (member is not None) else Mark(node.name, member is not None)


def _note_conflict(standing: Standing, name: str, wanting: Iterable[pools.PoolView]) -> None:
    rivals = sorted(pool.name for pool in wanting)
    if len(rivals) < 2:  # noqa: PLR2004  one pool alone has no rival
        return
    keeper = "" if standing.member is None else standing.member.pool
    outcome = f"it stays with {keeper}" if keeper else "it gets no NeuronCores"
    standing.rivals = tuple(rivals)
    standing.conflict = f"node {name} is selected by {' and '.join(rivals)}: {outcome}"


def _create(standing: Standing, node: nodes.NodeView | None, wanting: list[pools.PoolView]) -> None:
    if node is None or node.deleted or len(wanting) != 1:
        return
    (pool,) = wanting
    if pool.hardware is not None or pool.detects:
        standing.write = Creation(node, pool.name, pool.hardware)


def _give_up(standing: Standing, member: pools.Member, policy: pools.Policy, now: dt.datetime) -> None:
    """Remove the NeuronNode of a node that is gone, once no process can be using its cores any more."""
    if not member.pool:
        return  # made by hand: not ours to delete
    since = member.released_at
    if since is None:
        _postpone(standing, member, f"its ledger stays until its pods are gone, too: {member.users}")
        return
    end = since + dt.timedelta(seconds=policy.quarantine_seconds)
    if end <= now:
        standing.write = Removal(member.view.name, member.view.resource_version)
        return
    standing.wake_at = end
    stays = f"its ledger stays for {policy.quarantine_seconds:g} s after its last pod, whose processes may still run"
    _postpone(standing, member, stays)


def _postpone(standing: Standing, member: pools.Member, why: str) -> None:
    standing.pending_in, standing.pending = member.pool, f"node {member.view.name} is gone: {why}"


def _adjust(standing: Standing, node: nodes.NodeView, wanting: list[pools.PoolView], member: pools.Member) -> None:
    """Bring an existing NeuronNode in line with the one pool that has or should have it."""
    keeping = [pool for pool in wanting if pool.name == member.pool]
    candidates = keeping or wanting
    if member.pool and not candidates:  # one without a label was made by hand: not ours to delete
        _dismiss(standing, member)
    elif len(candidates) == 1 and candidates[0].detects:
        _ask(standing, node, member, candidates[0])
    elif len(candidates) == 1 and candidates[0].hardware is not None:
        _apply(standing, member, candidates[0], candidates[0].hardware)


def _dismiss(standing: Standing, member: pools.Member) -> None:
    if member.idle:
        standing.write = Removal(member.view.name, member.view.resource_version)
    else:
        standing.pending_in = member.pool
        standing.pending = f"node {member.view.name} leaves the pool when it is empty: {member.users}"


def _ask(standing: Standing, node: nodes.NodeView, member: pools.Member, pool: pools.PoolView) -> None:
    """Have the node's plugin look what the node has, and give that to the NeuronNode."""
    view = member.view
    if not view.detects:
        _change(standing, member, pool, neuron_nodes.detection_spec(node))
    elif view.detected is None:
        why = view.complaint or "its device plugin has not looked yet"
        standing.undetected = f"what node {view.name} has is not known: {why}"
        if member.pool != pool.name:
            standing.write = Change(view.name, view.resource_version, pool.name, {})
    else:
        _apply(standing, member, pool, view.detected)


def _apply(standing: Standing, member: pools.Member, pool: pools.PoolView, hardware: instance_types.Hardware) -> None:
    view = member.view
    if view.hardware != hardware or view.detects != pool.detects:
        asked = {} if pool.detects or not view.detects else {"detect": None}
        _change(standing, member, pool, neuron_nodes.profile_spec(hardware) | asked)
    elif member.pool != pool.name or view.owned:
        standing.write = Change(view.name, view.resource_version, pool.name, {})


def _change(standing: Standing, member: pools.Member, pool: pools.PoolView, spec: Mapping[str, Any]) -> None:
    name = member.view.name
    if member.idle:
        standing.write = Change(name, member.view.resource_version, pool.name, spec)
    else:
        standing.pending_in = pool.name
        standing.pending = f"node {name} keeps its present hardware until it is empty: {member.users}"
