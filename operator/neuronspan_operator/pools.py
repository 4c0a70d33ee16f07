"""NeuronPools: which nodes get a NeuronNode with which hardware, and what a pool says about itself. Pure.

Law: a node belongs to the pool in its NeuronNode's label, one pool at a time. Hardware never changes under a grant, and
a node never changes hands silently: what cannot be done is a condition with its reason, and is done when it can be.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from neuronspan import errors, instance_types, names, placement
from neuronspan_operator import neuron_nodes, nodes, plans

POOL_LABEL = f"{names.GROUP}/pool"
"""On a NeuronNode: the NeuronPool whose profile and policy it has."""


@dataclasses.dataclass(frozen=True, slots=True)
class PoolView:
    """What the operator knows of one NeuronPool; ``hardware`` is None when the profile is unusable: see ``problem``."""

    name: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deleted: bool = False
    selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hardware: instance_types.Hardware | None = None
    problem: str = ""
    problem_reason: str = ""
    policy: plans.Policy = dataclasses.field(default_factory=plans.Policy)
    status: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def selects(self, node: nodes.NodeView) -> bool:
        """Whether the pool wants this node; a pool that is being deleted wants none, and an empty selector neither."""
        wanted = self.selector.items()
        return bool(wanted) and not self.deleted and all(node.labels.get(key) == value for key, value in wanted)


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """A NeuronNode and the pool its label names, "" without one."""

    view: neuron_nodes.NeuronNodeView
    pool: str = ""

    @property
    def idle(self) -> bool:
        """Whether nobody has or holds a core: only then may its hardware change."""
        return self.view.ledger is not None and not self.view.ledger.grants and not self.view.held

    @property
    def users(self) -> str:
        """Who keeps it from changing, in words."""
        if self.view.ledger is None:
            return f"its ledger cannot be read: {self.view.problem}"
        return f"{max(len(self.view.ledger.grants), len(self.view.held))} containers have cores"


def read(manifest: Mapping[str, Any]) -> PoolView:
    """Read a NeuronPool as the API server sends it."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    hardware, reason, problem = _profile(spec.get("hardware") or {})
    try:
        policy = _policy(spec.get("policy") or {})
    except ValueError as error:
        policy, hardware, reason = plans.Policy(), None, "InvalidPolicy"
        problem = f"spec.policy: {error}: see kubectl explain neuronpool.spec.policy"
    return PoolView(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation", 0),
        deleted="deletionTimestamp" in metadata,
        selector=spec.get("nodeSelector") or {},
        hardware=hardware,
        problem=problem,
        problem_reason=reason,
        policy=policy,
        status=manifest.get("status") or {},
    )


def read_member(manifest: Mapping[str, Any]) -> Member:
    """Read a NeuronNode together with its pool label."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return Member(neuron_nodes.read(manifest), labels.get(POOL_LABEL, ""))


def _profile(raw: Mapping[str, Any]) -> tuple[instance_types.Hardware | None, str, str]:
    try:
        return instance_types.hardware_of(raw.get("instanceType", ""), raw.get("logicalCoreSize")), "", ""
    except errors.UnknownInstanceType as error:
        return None, "UnknownInstanceType", str(error)
    except errors.InvalidHardware as error:
        return None, "InvalidHardware", str(error)


def _policy(raw: Mapping[str, Any]) -> plans.Policy:
    default = plans.Policy()
    return plans.Policy(
        packing=placement.Packing(raw.get("packing", default.packing)),
        align=placement.Alignment(raw.get("alignment", default.align)),
        limbo_seconds=float(raw.get("limboSeconds", default.limbo_seconds)),
        quarantine_seconds=float(raw.get("quarantineSeconds", default.quarantine_seconds)),
    )


# --- what to do ------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Creation:
    """Make the NeuronNode of this node."""

    node: nodes.NodeView
    pool: str
    hardware: instance_types.Hardware

    def manifest(self, core_numbering: str) -> dict[str, Any]:
        """Give the object to create."""
        made = neuron_nodes.manifest(self.node, self.hardware, core_numbering)
        return made | {"metadata": {**made["metadata"], "labels": {POOL_LABEL: self.pool}}}


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Give an existing NeuronNode another pool or hardware, if nobody wrote it since it was read."""

    name: str
    resource_version: str
    pool: str
    hardware: instance_types.Hardware | None  # None: it has the right one already

    @property
    def patch(self) -> dict[str, Any]:
        """The merge patch; its resourceVersion makes it a compare-and-swap."""
        metadata = {"resourceVersion": self.resource_version, "labels": {POOL_LABEL: self.pool}}
        if self.hardware is None:
            return {"metadata": metadata}
        cores = self.hardware.cores
        summary = {"granted": 0, "free": cores, "largestFreeRun": cores}
        return {"metadata": metadata, "spec": {"hardware": self.hardware.to_dict(), "cores": cores, **summary}}


@dataclasses.dataclass(frozen=True, slots=True)
class Removal:
    """Delete a NeuronNode that no pool wants, if nobody wrote it since it was read."""

    name: str
    resource_version: str


@dataclasses.dataclass(slots=True)
class Findings:
    """What is remarkable about one pool, by node."""

    members: list[Member] = dataclasses.field(default_factory=list)
    conflicts: dict[str, str] = dataclasses.field(default_factory=dict)
    pending: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Decision:
    """Everything to do now."""

    creations: list[Creation] = dataclasses.field(default_factory=list)
    changes: list[Change] = dataclasses.field(default_factory=list)
    removals: list[Removal] = dataclasses.field(default_factory=list)
    findings: dict[str, Findings] = dataclasses.field(default_factory=dict)


def decide(
    pools: Mapping[str, PoolView], cluster: Mapping[str, nodes.NodeView], members: Mapping[str, Member]
) -> Decision:
    """Compare what pools want with the NeuronNodes there are; all mappings by name."""
    decision = Decision(findings={name: Findings() for name in pools})
    for name in sorted(cluster.keys() | members.keys()):
        node, member = cluster.get(name), members.get(name)
        if member is not None and member.pool in decision.findings:
            decision.findings[member.pool].members.append(member)
        wanting = [] if node is None else [pool for pool in pools.values() if pool.selects(node)]
        _note_conflict(decision, name, wanting, member)
        if member is None:
            _create(decision, node, wanting)
        elif not member.view.deleted:
            _adjust(decision, node, wanting, member)
    return decision


def policies(pools: Mapping[str, PoolView], members: Mapping[str, Member]) -> dict[str, plans.Policy]:
    """Give the policy of each node that belongs to a pool."""
    return {name: pools[member.pool].policy for name, member in members.items() if member.pool in pools}


def _note_conflict(decision: Decision, name: str, wanting: Iterable[PoolView], member: Member | None) -> None:
    rivals = sorted(pool.name for pool in wanting)
    if len(rivals) < 2:  # noqa: PLR2004  one pool alone has no rival
        return
    keeper = member.pool if member is not None else ""
    outcome = f"it stays with {keeper}" if keeper else "it gets no NeuronCores"
    for rival in rivals:
        decision.findings[rival].conflicts[name] = f"node {name} is selected by {' and '.join(rivals)}: {outcome}"


def _create(decision: Decision, node: nodes.NodeView | None, wanting: list[PoolView]) -> None:
    if node is None or node.deleted or len(wanting) != 1:
        return
    (pool,) = wanting
    if pool.hardware is not None:
        decision.creations.append(Creation(node, pool.name, pool.hardware))


def _adjust(decision: Decision, node: nodes.NodeView | None, wanting: list[PoolView], member: Member) -> None:
    """Bring an existing NeuronNode in line with the one pool that has or should have it."""
    other_machine = node is not None and member.view.owner_uid not in {"", node.uid}
    keeping = [pool for pool in wanting if pool.name == member.pool]
    candidates = keeping or wanting
    unwanted = bool(member.pool) and not candidates  # one without a label was made by hand: not ours to delete
    if other_machine or unwanted:
        _dismiss(decision, member)
    elif len(candidates) == 1 and candidates[0].hardware is not None:
        _apply(decision, member, candidates[0], candidates[0].hardware)


def _dismiss(decision: Decision, member: Member) -> None:
    if member.idle:
        decision.removals.append(Removal(member.view.name, member.view.resource_version))
    elif member.pool in decision.findings:
        text = f"node {member.view.name} leaves the pool when it is empty: {member.users}"
        decision.findings[member.pool].pending[member.view.name] = text


def _apply(decision: Decision, member: Member, pool: PoolView, hardware: instance_types.Hardware) -> None:
    name, version = member.view.name, member.view.resource_version
    if member.view.hardware == hardware:
        if member.pool != pool.name:
            decision.changes.append(Change(name, version, pool.name, None))
    elif member.idle:
        decision.changes.append(Change(name, version, pool.name, hardware))
    else:
        text = f"node {name} keeps its present hardware until it is empty: {member.users}"
        decision.findings[pool.name].pending[name] = text
