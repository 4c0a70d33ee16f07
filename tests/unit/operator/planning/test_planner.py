"""The plan as a whole: the same for the same snapshot, done when it is done, and quick."""

import dataclasses
import random

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import planner, plans
from neuronspan_operator.planning.drafting import drafts
from neuronspan_operator.planning.stages import warning


def _mixed(seed: int) -> plans.Snapshot:
    """Some of everything."""
    draw = random.Random(seed)  # noqa: S311 - repeatable on purpose
    entries = [
        domain.grant(
            f"{first}-{first + 2}", f"p{first}", state=draw.choice(list(grants.GrantState)), since=snapshots.ago(9)
        )
        for first in range(0, 24, 4)
    ]
    pods = [
        builders.make_pod(
            f"p{index}",
            cores=draw.choice((1, 3, 8, 40)),
            priority=draw.choice((0, 5)),
            node=draw.choice(("", "", "w1")),
        )
        for index in range(20)
    ]
    members = [
        builders.make_neuron_node(
            "w1", entries, held=[builders.held("8-10", "p8")], released=["uid-p4"], unhealthy=[30]
        ),
        builders.make_neuron_node("w2"),
    ]
    return snapshots.snapshot(pods, [builders.make_node("w1"), builders.make_node("w2")], members)


def test_equal_snapshots_give_equal_plans_in_whatever_order_they_were_read() -> None:
    for seed in range(20):
        first = _mixed(seed)
        shuffled = dataclasses.replace(
            first,
            pods=dict(reversed(list(first.pods.items()))),
            nodes=dict(reversed(list(first.nodes.items()))),
            neuron_nodes=dict(reversed(list(first.neuron_nodes.items()))),
        )
        assert planner.plan(first, snapshots.NOW) == planner.plan(shuffled, snapshots.NOW)


def test_ledgers_that_were_written_are_not_written_again() -> None:
    for seed in range(20):
        before = _mixed(seed)
        plan = planner.plan(before, snapshots.NOW)
        members = dict(before.neuron_nodes)
        for write in plan.ledgers:
            members[write.node] = dataclasses.replace(members[write.node], ledger=write.ledger)
        assert plan.ledgers
        assert planner.plan(dataclasses.replace(before, neuron_nodes=members), snapshots.NOW).ledgers == ()


def test_each_node_is_written_at_most_once() -> None:
    plan = planner.plan(_mixed(1), snapshots.NOW)
    assert len({write.node for write in plan.ledgers}) == len(plan.ledgers)


def test_empty_cluster_has_an_empty_plan() -> None:
    assert snapshots.plan([], [], []) == plans.Plan()


@pytest.fixture
def buggy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let planning stumble over every pod whose name says so."""

    def stumble(_draft: drafts.Draft, pod: pods.PodView) -> None:
        if pod.name.startswith("bad"):
            raise ZeroDivisionError(pod.name)

    monkeypatch.setattr(warning, "run", stumble)


@pytest.mark.usefixtures("buggy")
def test_pods_that_planning_cannot_digest_do_not_stop_the_others() -> None:
    names = ["bad-1", "good-1", "good-2", "bad-2", "good-3"]
    snapshot = snapshots.snapshot(builders.make_pod(name, cores=4) for name in names)
    found = planner.plan_around(snapshot, snapshots.NOW)
    assert sorted(snapshots.let_go(found)) == ["good-1", "good-2", "good-3"]
    assert {uid: why.reason for uid, why in found.waiting.items()} == {
        "uid-bad-1": "PlanningFailed",
        "uid-bad-2": "PlanningFailed",
    }
    assert "ZeroDivisionError" in found.waiting["uid-bad-1"].message
    assert isinstance(found.bug, ZeroDivisionError)


@pytest.mark.usefixtures("buggy")
def test_error_that_is_of_no_waiting_pod_is_raised() -> None:
    snapshot = snapshots.snapshot([builders.make_pod("bad", cores=4, node="w1"), builders.make_pod("good", cores=4)])
    with pytest.raises(ZeroDivisionError):
        planner.plan_around(snapshot, snapshots.NOW)


def test_plan_without_an_error_is_the_plan() -> None:
    snapshot = snapshots.snapshot([builders.make_pod(cores=4)])
    assert planner.plan_around(snapshot, snapshots.NOW) == planner.plan(snapshot, snapshots.NOW)
