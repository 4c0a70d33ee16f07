"""Pods that wait stand in units, by rank."""

from kits.manifests import builders
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import queue

WEB, DB = (pods.read(builders.make_pod(name, cores=4)) for name in ("web", "db"))
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
