"""What pools say about themselves."""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_operator import reasons
from neuronspan_operator.objects import pools
from neuronspan_operator.pools import membership, pool_status

NOW = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)
POOL = pools.read(
    {
        "metadata": {"name": "a", "generation": 4},
        "spec": {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "trn1.32xlarge"}},
    }
)
MEMBER = pools.read_member(builders.make_neuron_node())
BROKEN = dataclasses.replace(
    POOL, hardware=None, problem="no p5 here", problem_reason=reasons.PoolReason.UNKNOWN_INSTANCE_TYPE
)


def found(
    *members: str, conflicts: Mapping[str, str] | None = None, pending: Mapping[str, str] | None = None
) -> membership.Findings:
    """What was found of a pool with these nodes, of 32 cores each."""
    made = membership.Findings(cores=32 * len(members))
    made.members.update(dict.fromkeys(members, MEMBER))
    made.conflicts.update(conflicts or {})
    made.pending.update(pending or {})
    return made


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


@pytest.mark.parametrize(
    ("pool", "findings", "expected"),
    [
        (POOL, found("w1"), ("True", "NodesReady")),
        (POOL, found(), ("True", "NoNodes")),
        (BROKEN, found(), ("False", "UnknownInstanceType")),
        (POOL, found("w1", conflicts={"w1": "two pools"}), ("False", "OverlappingPools")),
        (POOL, found("w1", pending={"w1": "busy"}), ("False", "NodesInUse")),
        (dataclasses.replace(POOL, deleted=True), found("w1"), ("False", "Draining")),
    ],
    ids=["ready", "no-nodes", "unknown-type", "conflict", "pending", "draining"],
)
def test_wanted_judges_readiness(
    pool: pools.PoolView, findings: membership.Findings, expected: tuple[str, str]
) -> None:
    status = pool_status.wanted(pool, findings, NOW)
    assert conditions(status)["Ready"] == expected
    assert pool_status.summary(status)[:2] == (expected[0] == "True", expected[1])


def test_wanted_counts_nodes_and_cores() -> None:
    status = pool_status.wanted(POOL, found("w1", "w2"), NOW)
    assert (status["nodes"], status["cores"]) == (2, 64)
    assert all(each["observedGeneration"] == 4 for each in status["conditions"])


def test_wanted_has_a_condition_of_its_own_for_conflicts_and_for_pending_profiles() -> None:
    findings = found("w1", conflicts={"w1": "two pools want w1"}, pending={"w2": "w2 is busy"})
    status = pool_status.wanted(POOL, findings, NOW)
    assert conditions(status)["Conflict"] == ("True", "OverlappingPools")
    assert conditions(status)["ProfilePending"] == ("True", "NodesInUse")
    quiet = pool_status.wanted(POOL, found("w1"), NOW)
    assert conditions(quiet)["Conflict"] == ("False", "NoConflict")


def test_condition_keeps_its_time_while_its_status_stays() -> None:
    first = pool_status.wanted(POOL, found(), NOW)
    later = NOW + dt.timedelta(hours=1)
    known = dataclasses.replace(POOL, status=first)
    assert not pool_status.differs(first, pool_status.wanted(known, found(), later))
    broken = dataclasses.replace(BROKEN, status=first)
    times = {
        each["type"]: each["lastTransitionTime"] for each in pool_status.wanted(broken, found(), later)["conditions"]
    }
    assert times == {
        "Ready": "2026-01-31T10:00:00Z",
        "Conflict": "2026-01-31T09:00:00Z",
        "ProfilePending": "2026-01-31T09:00:00Z",
    }


def test_differs_ignores_fields_of_others() -> None:
    status = pool_status.wanted(POOL, found(), NOW)
    assert not pool_status.differs({**status, "kopf": {}}, status)
    assert pool_status.differs({**status, "nodes": 5}, status)


def test_message_names_the_first_nodes_and_counts_the_rest() -> None:
    findings = found(conflicts={f"w{index}": f"w{index}" for index in range(7)})
    assert pool_status.summary(pool_status.wanted(POOL, findings, NOW))[2] == "w0; w1; w2; w3; w4 and 2 more"


def test_message_names_the_first_nodes_that_keep_a_deleted_pool() -> None:
    deleted = dataclasses.replace(POOL, deleted=True)
    message = pool_status.summary(pool_status.wanted(deleted, found(*(f"w{index}" for index in range(7))), NOW))[2]
    assert message.endswith("still there: node w0; node w1; node w2; node w3; node w4 and 2 more")
