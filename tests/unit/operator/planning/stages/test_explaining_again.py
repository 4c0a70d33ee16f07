"""What was said is said again: not at each event, and not everything at once."""

import datetime as dt

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import facts, planner, plans
from neuronspan_operator.planning.stages import explaining

CONFIRMED = grants.GrantState.CONFIRMED
SECOND = dt.timedelta(seconds=1)
BIG, HUGE = (pods.read(builders.make_pod(name, cores=cores)) for name, cores in (("big", 8), ("huge", 16)))


def _ledger_of(first: int) -> facts.Changes:
    """Return the change to a node of which all cores but the first are taken, one more each time."""
    member = builders.make_neuron_node("w1", [domain.grant(f"{first}-31", "old", state=CONFIRMED)])
    return facts.Changes(members={"w1": pools.Member(neuron_nodes.read(member))})


@pytest.fixture
def kept() -> planner.Planner:
    """Return a planner that has said why two pods wait on a node with one free core."""
    found = planner.Planner(again=SECOND)
    old = pods.read(builders.make_pod("old", cores=31, node="w1", phase="Running"))
    known = {pod.uid: pod for pod in (BIG, HUGE, old)}
    host = {"w1": nodes.read(builders.make_node())}
    plan = found.plan(_ledger_of(1)._replace(pods=known, nodes=host), snapshots.NOW)
    assert _longest_runs(plan) == {"big": 1, "huge": 1}
    return found


def _longest_runs(plan: plans.Plan) -> dict[str, int]:
    """Return the longest free run that each explanation speaks of."""
    return {
        uid.removeprefix("uid-"): int(why.message.split("free run is ")[1].split()[0])
        for uid, why in plan.waiting.items()
    }


def test_explanation_is_given_again_only_after_a_while(kept: planner.Planner) -> None:
    early = kept.plan(_ledger_of(2), snapshots.NOW + 0.4 * SECOND)
    assert (_longest_runs(early), early.news) == ({"big": 1, "huge": 1}, frozenset())
    assert early.wake_at == snapshots.NOW + SECOND
    late = kept.plan(facts.Changes(), early.wake_at)
    assert (_longest_runs(late), late.wake_at) == ({"big": 2, "huge": 2}, None)
    assert late.news == {BIG.uid, HUGE.uid}


def test_pod_that_comes_meanwhile_is_told_at_once(kept: planner.Planner) -> None:
    kept.plan(_ledger_of(2), snapshots.NOW + 0.3 * SECOND)
    other = pods.read(builders.make_pod("other", cores=4))
    like = pods.read(builders.make_pod("like", cores=8))
    plan = kept.plan(facts.Changes(pods={each.uid: each for each in (other, like)}), snapshots.NOW + 0.6 * SECOND)
    assert _longest_runs(plan) == {"big": 1, "huge": 1, "like": 1, "other": 2}
    assert plan.wake_at == snapshots.NOW + SECOND


def test_what_was_said_longest_ago_is_said_again_first_when_not_all_can_be(
    kept: planner.Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "MOST_LOOKS", 1)
    moment, said = snapshots.NOW, []
    for free in (2, 3, 4):
        moment += SECOND
        plan = kept.plan(_ledger_of(free), moment)
        said.append(sorted(_longest_runs(plan).values()))
        assert plan.wake_at == moment + SECOND
    assert said == [[1, 2], [2, 3], [3, 4]]
    assert sorted(_longest_runs(kept.plan(facts.Changes(), moment + SECOND)).values()) == [4, 4]


def test_pods_that_come_all_the_time_do_not_keep_others_from_being_told_again(kept: planner.Planner) -> None:
    for tenths in range(2, 11):
        other = pods.read(builders.make_pod(f"p{tenths}", cores=20 + tenths))
        change = _ledger_of(2)._replace(pods={other.uid: other})
        plan = kept.plan(change, snapshots.NOW + 0.1 * tenths * SECOND)
    assert _longest_runs(plan)["big"] == 2


def test_clock_that_goes_back_keeps_nobody_from_being_told_again(kept: planner.Planner) -> None:
    hour_ago = snapshots.NOW - 3600 * SECOND
    assert _longest_runs(kept.plan(_ledger_of(2), hour_ago)) == {"big": 2, "huge": 2}
    assert _longest_runs(kept.plan(_ledger_of(3), hour_ago)) == {"big": 2, "huge": 2}
    assert _longest_runs(kept.plan(facts.Changes(), hour_ago + SECOND)) == {"big": 3, "huge": 3}
