"""What a NeuronPool says about itself: nodes, cores and conditions. Pure.

Law: a status is written when its content differs, not when its times do; a condition keeps the time of its last change.
"""

import datetime as dt
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from neuronspan_operator import reasons
from neuronspan_operator.objects import pools
from neuronspan_operator.pools import membership

_SHOWN = 5
"""Nodes named in one message; a condition's message has room for 4096 characters."""


def wanted(pool: pools.PoolView, found: membership.Findings, now: dt.datetime) -> dict[str, Any]:
    """Return the status that this pool should have."""
    judgements = [
        _ready(pool, found),
        _about(
            reasons.PoolCondition.CONFLICT,
            found.conflicts,
            reasons.PoolReason.OVERLAPPING_POOLS,
            (reasons.PoolReason.NO_CONFLICT, "no other pool selects a node of this one"),
        ),
        _about(
            reasons.PoolCondition.PROFILE_PENDING,
            found.pending,
            reasons.PoolReason.NODES_IN_USE,
            (reasons.PoolReason.NO_PROFILE_PENDING, "every node of the pool has the hardware that the pool describes"),
        ),
    ]
    before = {condition.get("type"): condition for condition in pool.status.get("conditions") or ()}
    return {
        "nodes": len(found.members),
        "cores": found.cores,
        "conditions": [_timed(judgement, before.get(judgement["type"]), pool, now) for judgement in judgements],
    }


def differs(status: Mapping[str, Any], wanted_status: Mapping[str, Any]) -> bool:
    """Whether the stored status has to be written anew."""
    return any(status.get(field) != value for field, value in wanted_status.items())


def summary(status: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Return readiness, reason and message of a status as ``wanted`` makes it."""
    ready = next(condition for condition in status["conditions"] if condition["type"] == reasons.PoolCondition.READY)
    return ready["status"] == "True", ready["reason"], ready["message"]


def _ready(pool: pools.PoolView, found: membership.Findings) -> dict[str, str]:
    if pool.deleted:
        left = _listed(found.members, "node ")
        message = f"the pool is deleted when its last node is empty; still there: {left}"
        return _judgement(reasons.PoolCondition.READY, "False", reasons.PoolReason.DRAINING, message)
    if pool.hardware is None and not pool.detects:
        return _judgement(
            reasons.PoolCondition.READY,
            "False",
            pool.problem_reason or reasons.PoolReason.INVALID_HARDWARE,
            pool.problem,
        )
    if found.conflicts:
        return _judgement(
            reasons.PoolCondition.READY,
            "False",
            reasons.PoolReason.OVERLAPPING_POOLS,
            _listed(found.conflicts.values()),
        )
    if found.pending:
        return _judgement(
            reasons.PoolCondition.READY, "False", reasons.PoolReason.NODES_IN_USE, _listed(found.pending.values())
        )
    if found.undetected:
        return _judgement(
            reasons.PoolCondition.READY,
            "False",
            reasons.PoolReason.HARDWARE_UNKNOWN,
            _listed(found.undetected.values()),
        )
    return _good(pool, found)


def _good(pool: pools.PoolView, found: membership.Findings) -> dict[str, str]:
    if not found.members:
        selector = ",".join(f"{key}={value}" for key, value in sorted(pool.selector.items()))
        return _judgement(
            reasons.PoolCondition.READY, "True", reasons.PoolReason.NO_NODES, f"no node has the labels {selector} yet"
        )
    of_type = f" of {pool.hardware.instance_type}" if pool.hardware else ""
    return _judgement(
        reasons.PoolCondition.READY,
        "True",
        reasons.PoolReason.NODES_READY,
        f"{len(found.members)} nodes{of_type}",
    )


def _about(
    kind: reasons.PoolCondition,
    found: Mapping[str, str],
    reason: reasons.PoolReason,
    otherwise: tuple[reasons.PoolReason, str],
) -> dict[str, str]:
    if found:
        return _judgement(kind, "True", reason, _listed(found.values()))
    return _judgement(kind, "False", *otherwise)


def _judgement(kind: reasons.PoolCondition, status: str, reason: reasons.PoolReason, message: str) -> dict[str, str]:
    return {"type": str(kind), "status": status, "reason": str(reason), "message": message[:4096]}


def _timed(
    judgement: dict[str, str], before: Mapping[str, Any] | None, pool: pools.PoolView, now: dt.datetime
) -> dict[str, Any]:
    changed = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if before is not None and before.get("status") == judgement["status"]:
        changed = before.get("lastTransitionTime", changed)
    return {**judgement, "lastTransitionTime": changed, "observedGeneration": pool.generation}


def _listed(sentences: Collection[str], before: str = "") -> str:
    """Join the first few, each with these words before it; no more than those are looked at."""
    more = f" and {len(sentences) - _SHOWN} more" if len(sentences) > _SHOWN else ""
    return "; ".join(f"{before}{each}" for each in itertools.islice(sentences, _SHOWN)) + more
