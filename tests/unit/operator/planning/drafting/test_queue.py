"""Pods that wait stand in units, by rank."""

import dataclasses

from kits.manifests import builders
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import queue

WEB, DB = (pods.read(builders.make_pod(name, cores=4)) for name in ("web", "db"))
LARGE = pods.read(builders.make_pod("large", cores=8))
FIRST = pods.read(builders.make_pod("first", cores=4, priority=5))


def test_pods_of_a_unit_stand_by_rank_and_leave_one_by_one() -> None:
    line = queue.Queue()
    for pod in (WEB, FIRST, DB):
        unit = line.enter(pod, "alike", grouped=False, local=True)
    assert unit.uids == ["uid-first", "uid-db", "uid-web"]
    line.leave("uid-first")
    assert (unit.first, "uid-first" in line, unit.untold) == ("uid-db", False, {"uid-db", "uid-web"})


def test_unit_without_pods_is_forgotten() -> None:
    line = queue.Queue()
    line.enter(WEB, "alike", grouped=False, local=True).seen = 7
    line.leave(WEB.uid)
    line.leave(WEB.uid)
    assert list(line) == []
    assert line.enter(WEB, "alike", grouped=False, local=True).seen == queue.NEVER


def test_pod_that_comes_to_others_that_found_no_place_does_not_have_them_looked_at_again() -> None:
    line = queue.Queue()
    unit = line.enter(WEB, "alike", grouped=False, local=True)
    unit.seen = 7
    line.enter(DB, "alike", grouped=False, local=True)
    line.leave(WEB.uid)
    assert unit.seen == 7


def test_group_is_looked_at_again_when_a_member_comes_or_leaves() -> None:
    line = queue.Queue()
    unit = line.enter(WEB, "group", grouped=True, local=False)
    unit.seen = 7
    line.enter(DB, "group", grouped=True, local=False)
    assert unit.seen == queue.NEVER
    unit.seen = 7
    line.leave(DB.uid)
    assert unit.seen == queue.NEVER


def test_units_that_ask_for_the_same_cores_share_a_shelf_until_the_last_one_leaves() -> None:
    line = queue.Queue()
    near = line.enter(WEB, "near", grouped=False, local=False)
    here = line.enter(DB, "here", grouped=False, local=True)
    line.enter(LARGE, "large", grouped=False, local=True)
    line.enter(FIRST, "group", grouped=True, local=False)
    (shelf,) = [each for each in line.shelves.values() if each.others]
    assert (shelf.local, shelf.others, len(line.shelves)) == ({"here": here}, {"near": near}, 2)
    line.leave(WEB.uid)
    line.leave(DB.uid)
    assert [list(each.local) for each in line.shelves.values()] == [["large"]]


def test_unit_is_fresh_until_somebody_takes_it() -> None:
    line = queue.Queue()
    line.enter(WEB, "alike", grouped=False, local=True)
    line.enter(FIRST, "group", grouped=True, local=False)
    assert list(line.take_fresh()) == ["alike"]
    line.enter(DB, "alike", grouped=False, local=True)
    assert line.take_fresh() == {}


def test_unit_that_is_to_be_looked_at_anew_is_fresh_again() -> None:
    line = queue.Queue()
    unit = line.enter(WEB, "alike", grouped=False, local=True)
    line.take_fresh()
    unit.seen = 7
    line.look_anew(unit)
    assert (line.take_fresh(), unit.seen) == ({"alike": unit}, queue.NEVER)
    line.leave(WEB.uid)
    line.look_anew(unit)
    assert line.take_fresh() == {}


def test_unit_that_was_not_looked_at_catches_up_with_its_shelf() -> None:
    shelf = queue.Shelf(seen=9, relations=3)
    behind, ahead, fresh = (
        queue.Unit(each, grouped=False, local=True, seen=each, relations=1) for each in (7, 12, queue.NEVER)
    )
    for unit in (behind, ahead, fresh):
        shelf.catch_up(unit)
    assert [(each.seen, each.relations) for each in (behind, ahead, fresh)] == [(9, 3), (12, 3), (queue.NEVER, 1)]


def test_highest_priority_is_that_of_the_pods_in_line_that_may_preempt() -> None:
    line = queue.Queue()
    assert [line.highest_preempting] == [None]
    line.enter(dataclasses.replace(FIRST, uid="meek", preempts=False), "meek", grouped=False, local=True)
    line.enter(dataclasses.replace(FIRST, uid="member"), "group", grouped=True, local=False)
    line.enter(WEB, "alike", grouped=False, local=True)
    assert line.highest_preempting == 0
    line.enter(FIRST, "first", grouped=False, local=True)
    assert line.highest_preempting == FIRST.priority
    line.leave(FIRST.uid)
    assert line.highest_preempting == 0


def test_oldest_is_the_pod_in_no_group_that_was_created_first() -> None:
    line = queue.Queue()
    assert [line.oldest] == [None]
    line.enter(dataclasses.replace(WEB, uid="member", created="2020-01-01T00:00:00Z"), "g", grouped=True, local=False)
    line.enter(WEB, "alike", grouped=False, local=True)
    line.enter(dataclasses.replace(DB, uid="old", created="2021-01-01T00:00:00Z"), "old", grouped=False, local=True)
    assert line.oldest == "old"
    line.leave("old")
    assert line.oldest == WEB.uid
