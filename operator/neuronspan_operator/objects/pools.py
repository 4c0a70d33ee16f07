"""Reads NeuronPools, and the NeuronNodes as members of pools. Pure.

Law: a node belongs to the pool in its NeuronNode's label, one pool at a time. A profile or policy that cannot be used
is a problem in words, never an exception.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from neuronspan import errors, grants, instance_types, names, placement
from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes, nodes

POOL_LABEL = f"{names.GROUP}/pool"
"""On a NeuronNode: the NeuronPool whose profile and policy it has."""


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How a NeuronPool wants the cores of its nodes handed out."""

    packing: placement.Packing = placement.Packing.BEST_FIT
    rules: placement.Rules = dataclasses.field(default_factory=placement.Rules)
    limbo_seconds: float = 60.0  # a pod with cores that is not bound to its node after this time is in limbo
    quarantine_seconds: float = 300.0  # how long the ledger of a gone node is kept after its last pod
    preferences: placement.Preferences = placement.Preferences.FIRST


@dataclasses.dataclass(frozen=True, slots=True)
class PoolView:
    """What the operator knows of one NeuronPool.

    ``hardware`` is None when each node is asked what it has, and when the profile is unusable: see ``problem``.
    """

    name: str
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deleted: bool = False
    selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hardware: instance_types.Hardware | None = None
    detects: bool = False  # its nodes have real devices: ``hardware`` is None, as each may have others
    problem: str = ""
    problem_reason: reasons.PoolReason | None = None
    policy: Policy = dataclasses.field(default_factory=Policy)
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
        """Whether no container has or holds a core: only then may its hardware change."""
        is_empty = self.view.blank or (self.view.ledger is not None and not self.view.ledger.grants)
        return is_empty and not self.view.held

    @property
    def released_at(self) -> dt.datetime | None:
        """When its last grant became a tombstone; None while one is none. Without any grant: long ago."""
        if self.view.blank:
            return neuron_nodes.moment("")
        if self.view.ledger is None:
            return None
        found = self.view.ledger.grants
        if any(grant.state is not grants.GrantState.RELEASING for grant in found):
            return None
        return max((neuron_nodes.moment(grant.since) for grant in found), default=neuron_nodes.moment(""))

    @property
    def users(self) -> str:
        """Who keeps it from changing, in words."""
        if self.view.ledger is None:
            return f"its ledger cannot be read: {self.view.problem}; repair it, or delete NeuronNode {self.view.name}"
        return f"{max(len(self.view.ledger.grants), len(self.view.held))} containers have cores"


def read(manifest: Mapping[str, Any]) -> PoolView:
    """Read a NeuronPool as the API server sends it."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    profile = spec.get("hardware") or {}
    detects = profile.get("instanceType") == instance_types.DETECT
    hardware, reason, problem = (None, None, "") if detects else _profile(profile)
    try:
        policy = _policy(spec.get("policy") or {})
    except ValueError as error:
        policy, hardware, reason, detects = Policy(), None, reasons.PoolReason.INVALID_POLICY, False
        problem = f"spec.policy: {error}: see kubectl explain neuronpool.spec.policy"
    return PoolView(
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation", 0),
        deleted="deletionTimestamp" in metadata,
        selector=spec.get("nodeSelector") or {},
        hardware=hardware,
        detects=detects,
        problem=problem,
        problem_reason=reason,
        policy=policy,
        status=manifest.get("status") or {},
    )


def read_member(manifest: Mapping[str, Any]) -> Member:
    """Read a NeuronNode together with its pool label."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    return Member(neuron_nodes.read(manifest), labels.get(POOL_LABEL, ""))


def _profile(raw: Mapping[str, Any]) -> tuple[instance_types.Hardware | None, reasons.PoolReason | None, str]:
    try:
        return instance_types.hardware_of(raw.get("instanceType", ""), raw.get("logicalCoreSize")), None, ""
    except errors.UnknownInstanceType as error:
        return None, reasons.PoolReason.UNKNOWN_INSTANCE_TYPE, str(error)
    except errors.InvalidHardware as error:
        return None, reasons.PoolReason.INVALID_HARDWARE, str(error)


def _policy(raw: Mapping[str, Any]) -> Policy:
    default = Policy()
    return Policy(
        packing=placement.Packing(raw.get("packing", default.packing)),
        rules=placement.Rules(
            placement.Alignment(raw.get("alignment", default.rules.align)),
            placement.DeviceCounts(raw.get("deviceCounts", default.rules.device_counts)),
        ),
        limbo_seconds=float(raw.get("limboSeconds", default.limbo_seconds)),
        quarantine_seconds=float(raw.get("quarantineSeconds", default.quarantine_seconds)),
        preferences=placement.Preferences(raw.get("preferences", default.preferences)),
    )


def policies(pools: Mapping[str, PoolView], members: Mapping[str, Member]) -> dict[str, Policy]:
    """Return the policy of each node that belongs to a pool."""
    return {name: pools[member.pool].policy for name, member in members.items() if member.pool in pools}
