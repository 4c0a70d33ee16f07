"""The loop around a planner: own writes come back, pods live and end."""

import datetime as dt

import pytest

from neuronspan import ledger
from neuronspan_operator.planning import facts, plans
from performance.planner import driving, scenes


def _loop(nodes: int = 2) -> driving.Loop:
    return driving.Loop(driving.kept(), scenes.Scene(nodes).changes())


def test_pods_are_bound_where_there_is_room() -> None:
    bound = _loop().settle(facts.Changes(pods=scenes.waiting(8)))
    assert len(bound) == 8
    assert set(bound.values()) == {scenes.node_name(0), scenes.node_name(1)}


def test_cores_of_pods_that_ended_are_given_away_again() -> None:
    loop = _loop()
    for number in range(3):
        bound = loop.settle(facts.Changes(pods=scenes.waiting(8, prefix=f"round{number}")))
        assert len(bound) == 8
        loop.settle(loop.confirmed(bound))
        loop.settle(loop.ended(bound))


def test_a_pod_that_fits_nowhere_waits() -> None:
    pod = scenes.whole_node("large")
    assert _loop().settle(facts.Changes(pods={pod.uid: pod})) == {}


class _Restless:
    """Finds one more ledger to write, whatever was written before."""

    def plan(self, _changes: facts.Changes, _now: dt.datetime) -> plans.Plan:
        return plans.Plan(ledgers=(plans.LedgerWrite(scenes.node_name(0), "1", ledger.Ledger(32, ()), ()),))


def test_a_planner_that_never_rests_is_no_measurement() -> None:
    with pytest.raises(driving.NoRestError, match="20 rounds without rest, the last one with 1 ledgers"):
        driving.Loop(_Restless(), scenes.Scene(1).changes())


def test_the_planner_from_scratch_binds_as_the_kept_one() -> None:
    pods_of_round = scenes.waiting(5)
    kept, scratch = (
        driving.Loop(each, scenes.Scene(2).changes()).settle(facts.Changes(pods=pods_of_round))
        for each in (driving.kept(), driving.FromScratch())
    )
    assert kept == scratch
