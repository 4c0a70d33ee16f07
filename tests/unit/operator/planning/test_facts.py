"""Facts are kept by changes, and say what really became otherwise."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, snapshots, volumes
from neuronspan import placement
from neuronspan_operator.objects import budgets, neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import facts

POD = pods.read(builders.make_pod(cores=4))
LATER = dataclasses.replace(POD, resource_version="2")
HOST = nodes.read(builders.make_node())
MEMBER = pools.Member(neuron_nodes.read(builders.make_neuron_node()), "trn")
FIRST_FIT = pools.Policy(packing=placement.Packing.FIRST_FIT)


def _known(**fields: Any) -> facts.Facts:
    found = facts.Facts()
    found.take(facts.Changes(**fields))
    return found


def test_touched_is_what_really_changed_with_what_was_known_before() -> None:
    known = _known(pods={POD.uid: POD}, nodes={"w1": HOST})
    touched = known.take(facts.Changes(pods={POD.uid: LATER}, nodes={"w1": HOST}))
    assert (touched.pods, touched.nodes) == ({POD.uid: (POD, LATER)}, {})
    assert known.take(facts.Changes(pods={POD.uid: None, "uid-other": None})).pods == {POD.uid: (LATER, None)}


def test_touched_is_told_once() -> None:
    known = _known(pods={POD.uid: POD}, gone={"uid-old": True})
    touched = known.take(facts.Changes())
    assert (touched.pods, touched.gone) == ({}, set())


def test_snapshot_follows_what_is_taken() -> None:
    known = _known()
    seen = known.snapshot()
    known.take(facts.Changes(pods={POD.uid: POD}, gone={"uid-old": True}))
    assert seen.pods == {POD.uid: POD}
    assert set(seen.gone) == {"uid-old"}


def test_pod_that_is_held_back_is_not_there_and_comes_back_as_it_is_then() -> None:
    known = _known(pods={POD.uid: POD})
    touched = known.take(facts.Changes(held_back={POD.uid: True}))
    assert touched.pods == {POD.uid: (POD, None)}
    assert known.take(facts.Changes(pods={POD.uid: LATER})).pods == {}
    assert known.take(facts.Changes(held_back={POD.uid: False})).pods == {POD.uid: (None, LATER)}


def test_pod_that_ends_while_it_is_held_back_does_not_come_back() -> None:
    known = _known(pods={POD.uid: POD}, held_back={POD.uid: True})
    known.take(facts.Changes(pods={POD.uid: None}))
    assert known.take(facts.Changes(held_back={POD.uid: False})).pods == {}


def test_pool_gives_its_policy_to_its_members_and_drains_them_when_it_is_deleted() -> None:
    known = _known(nodes={"w1": HOST}, members={"w1": MEMBER}, pools={"trn": pools.PoolView("trn")})
    touched = known.take(facts.Changes(pools={"trn": pools.PoolView("trn", policy=FIRST_FIT)}))
    assert (touched.policies, touched.nodes) == ({"w1"}, {})
    touched = known.take(facts.Changes(pools={"trn": pools.PoolView("trn", policy=FIRST_FIT, deleted=True)}))
    assert touched.nodes == {"w1": (HOST, dataclasses.replace(HOST, draining=True))}
    assert known.take(facts.Changes(members={"w1": dataclasses.replace(MEMBER, pool="other")})).policies == {"w1"}
    assert known.take(facts.Changes(pools={"trn": None})).nodes == {}
    assert known.snapshot().nodes == {"w1": HOST}


def test_pool_without_members_touches_no_node() -> None:
    known = _known(nodes={"w1": HOST}, members={"w1": MEMBER}, pools={"trn": pools.PoolView("trn")})
    touched = known.take(facts.Changes(pools={"other": pools.PoolView("other", policy=FIRST_FIT, deleted=True)}))
    assert (touched.policies, touched.nodes) == (set(), {})


def test_avoided_nodes_that_are_none_any_more_are_forgotten() -> None:
    known = _known(avoided={POD.uid: frozenset({"w1"})})
    assert known.take(facts.Changes(avoided={POD.uid: frozenset()})).avoided == {POD.uid}
    assert known.snapshot().avoided == {}


@pytest.mark.parametrize("changed", ["spared", "budgets"])
def test_other_pods_may_be_ended_when_who_is_spared_or_a_budget_changed(changed: str) -> None:
    budget = budgets.read(builders.make_budget())
    value: Any = {POD.uid: True} if changed == "spared" else {budget.key: budget}
    known = _known()
    assert known.take(facts.Changes(**{changed: value})).endings
    assert not known.take(facts.Changes(**{changed: value})).endings


def test_storage_is_kept_until_another_one_is_told() -> None:
    stored = volumes.stored([volumes.make_claim("data")], [])
    known = _known(storage=stored)
    assert not known.take(facts.Changes()).storage
    assert known.snapshot().storage is stored
    assert not known.take(facts.Changes(storage=volumes.stored([volumes.make_claim("data")], []))).storage
    assert known.take(facts.Changes(storage=volumes.stored([], []))).storage


def test_all_at_once_is_what_bit_by_bit_gives() -> None:
    snapshot = snapshots.snapshot([builders.make_pod(cores=4)], policy=FIRST_FIT, spared=frozenset({POD.uid}))
    known = facts.Facts()
    touched = known.fill(snapshot)
    assert known.snapshot() == snapshot
    assert (touched.pods, touched.policies, touched.endings) == ({POD.uid: (None, POD)}, {"w1"}, True)
