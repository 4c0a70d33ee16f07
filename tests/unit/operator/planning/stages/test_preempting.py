"""Pods of lower priority end for one that finds no place, and only where that lets it fit."""

import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, clusters, domain, snapshots
from kits.planning import scenes
from neuronspan import grants, names
from neuronspan_operator.planning.stages import preempting

RELEASING = grants.GrantState.RELEASING


def full(**fields: Any) -> scenes.Scene:
    """Return one node with three pods of four cores and of priorities 1, 2 and 3."""
    scene = scenes.Scene().node(**fields)
    for index, cores in enumerate(("0-3", "4-7", "8-11"), start=1):
        scene.holder(f"p{index}", cores, priority=index)
    return scene


def test_fewest_and_lowest_end_for_a_pod_of_higher_priority() -> None:
    plan = full().waiting().plan()
    assert scenes.ended(plan) == ["p1", "p2"]
    assert {each.event for each in plan.evictions} == {"Preempted"}
    assert plan.evictions[0].reason == "Ended for default/big, whose priority is 100: it gets NeuronCores 0-7 of w1."


def test_pod_says_for_whose_end_it_waits_and_is_nominated() -> None:
    plan = full().waiting().plan()
    why = plan.waiting["uid-big"]
    assert (why.reason, why.node) == ("Preempting", "w1")
    assert why.message == (
        "It gets NeuronCores 0-7 of w1 and waits for the end of default/p1 (cores 0-3), default/p2 (cores 4-7)."
    )
    (told,) = [each for each in plan.notices if each.reason == "Preempting"]
    assert (told.name, told.type) == ("big", "Normal")
    assert "it ends default/p1 (priority 1), default/p2 (priority 2)" in told.message


def test_cores_come_by_proof_and_no_ledger_is_touched_before() -> None:
    assert full().waiting().plan().ledgers == ()


@pytest.mark.parametrize("priority", [0, 1], ids=["lower", "equal"])
def test_nobody_of_equal_or_higher_priority_ends(priority: int) -> None:
    scene = scenes.Scene().node().holder("p1", "0-11", priority=1).waiting(priority=priority)
    scene.node("w2", cordoned=True).holder("lowest", "0-11", "w2", priority=-1)
    assert scenes.ended(scene.plan()) == []


def test_pod_that_must_not_preempt_waits() -> None:
    plan = full().waiting(preempts=False).plan()
    assert scenes.ended(plan) == []
    assert plan.waiting["uid-big"].reason == "NoRoom"


def test_guest_ends_nobody() -> None:
    assert scenes.ended(full().waiting(**builders.GUEST).plan()) == []


def test_member_of_a_group_that_is_not_served_ends_nobody() -> None:
    notes = {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "1"}
    assert scenes.ended(full().waiting(annotations=notes).plan()) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"cores": 13}, "NeverFits", id="larger than the node"),
        pytest.param({"selector": {"disk": "ssd"}}, "NoNodeMatches", id="another node is meant"),
        pytest.param({"containers": [builders.container(cores=8, cpu="65")]}, "NoRoom", id="more CPU than there is"),
    ],
)
def test_nobody_ends_where_the_pod_would_not_fit_all_the_same(fields: dict[str, Any], why: str) -> None:
    plan = full().waiting(**fields).plan()
    assert scenes.ended(plan) == []
    assert plan.waiting["uid-big"].reason == why


def test_nobody_ends_on_a_node_that_takes_no_pods() -> None:
    assert scenes.ended(full(cordoned=True).waiting().plan()) == []


def test_pods_end_for_other_resources_too() -> None:
    scene = scenes.Scene().node(cpu="10").holder("p1", "0-3", priority=1)
    cpu = builders.container("plain", cpu="8")
    scene.pods.append(builders.make_pod("cpu", containers=[cpu], node="w1", phase="Running", priority=2))
    plan = scene.waiting(containers=[builders.container(cores=8, cpu="4")]).plan()
    assert scenes.ended(plan) == ["cpu"]
    assert plan.waiting["uid-big"].message.endswith("waits for the end of default/cpu.")


def test_pods_that_this_one_must_not_meet_end() -> None:
    far = clusters.affinity(far=[clusters.term(names.HOSTNAME_LABEL, {"app": "noisy"})])
    scene = scenes.Scene().node().holder("p1", "0", priority=1).holder("p2", "1", priority=2, labels={"app": "noisy"})
    assert scenes.ended(scene.waiting(affinity=far).plan()) == ["p2"]


def test_several_containers_of_a_pod_are_served_together() -> None:
    both = [builders.container("a", cores=4), builders.container("b", cores=4)]
    plan = full().waiting(containers=both).plan()
    assert scenes.ended(plan) == ["p1", "p2"]


def test_best_node_is_the_one_where_the_least_important_ends() -> None:
    scene = (
        scenes.Scene()
        .node("w1")
        .node("w2")
        .holder("p1", "0-11", "w1", priority=5)
        .holder("p2", "0-11", "w2", priority=4)
    )
    assert scenes.ended(scene.waiting().plan()) == ["p2"]


def test_victims_of_the_cheapest_place_do_not_end_where_other_resources_would_be_lacking_still() -> None:
    """The holder of 0-5 is the least important, but it has no CPU to leave; neither have the cores that are free."""
    scene = scenes.Scene().node(cpu="10").holder("p1", "0-5", priority=1)
    busy = [builders.container(cores=6, cpu="8")]
    scene.holder("p2", "6-11", priority=2, containers=busy)
    plan = scene.waiting(containers=[builders.container(cores=6, cpu="4")]).plan()
    assert scenes.ended(plan) == ["p2"]


# --- budgets ---------------------------------------------------------------------------------------------------------


def test_pod_whose_budget_allows_no_end_is_left_alone() -> None:
    scene = (
        scenes.Scene().node().holder("p1", "0-5", priority=1, labels={"app": "web"}).holder("p2", "6-11", priority=9)
    )
    known = [builders.make_budget(labels={"app": "web"}, allowed=0)]
    assert scenes.ended(scene.waiting(cores=6).plan(known)) == ["p2"]


def test_two_pods_that_wait_do_not_spend_a_budget_twice() -> None:
    scene = scenes.Scene().node()
    for index, cores in enumerate(("0-5", "6-11")):
        scene.holder(f"p{index}", cores, priority=1, labels={"app": "web"})
    known = [builders.make_budget(labels={"app": "web"}, allowed=1)]
    plan = scene.waiting("big1", cores=6).waiting("big2", cores=6).plan(known)
    assert scenes.ended(plan) == ["p0"]
    assert [plan.waiting[f"uid-{name}"].reason for name in ("big1", "big2")] == ["Preempting", "NoRoom"]


def test_pod_that_was_not_evicted_lately_is_left_alone() -> None:
    plan = full().waiting().plan(spared=frozenset({"uid-p1"}))
    assert scenes.ended(plan) == ["p2", "p3"]


# --- what is ending already ------------------------------------------------------------------------------------------


def test_nobody_ends_while_pods_that_are_ending_make_the_room() -> None:
    scene = scenes.Scene().node().holder("p1", "0-7", priority=9, deleted=True).holder("p2", "8-11", priority=1)
    plan = scene.waiting().plan()
    assert scenes.ended(plan) == []
    assert plan.waiting["uid-big"].message == (
        "It gets NeuronCores 0-7 of w1 and waits for the end of default/p1 (cores 0-7)."
    )


def test_cores_that_wait_for_their_proof_count_as_ending() -> None:
    scene = scenes.Scene().node().holder("p2", "8-11", priority=1)
    scene.entries["w1"].append(domain.grant("0-7", "gone", state=RELEASING))
    plan = scene.waiting().plan()
    assert (scenes.ended(plan), plan.waiting["uid-big"].reason) == ([], "Preempting")


def test_pod_goes_on_to_wait_where_it_is_nominated() -> None:
    scene = scenes.Scene().node("w1").node("w2")
    for node in ("w1", "w2"):
        scene.holder(f"p-{node}", "0-11", node, priority=1, deleted=True)
    assert scene.waiting(nominated="w2").plan().waiting["uid-big"].node == "w2"


def test_partly_freed_cores_are_kept_from_pods_of_lower_rank() -> None:
    scene = scenes.Scene().node().holder("p1", "0-3", priority=1, deleted=True).holder("p2", "8-11", priority=200)
    plan = scene.waiting().waiting("small", cores=1, priority=50).plan()
    assert snapshots.let_go(plan) == {}
    assert "1 node(s) whose free NeuronCores are kept for pods before this one" in plan.waiting["uid-small"].message


def test_pod_of_lower_rank_gets_what_is_not_kept() -> None:
    scene = scenes.Scene().node().holder("p1", "0-3", priority=1, deleted=True)
    plan = scene.waiting(cores=10).waiting("small", cores=1, priority=50).plan()
    assert snapshots.let_go(plan) == {"small": "w1 app=10"}


def test_pod_of_higher_rank_gets_the_freed_cores_before() -> None:
    scene = scenes.Scene().node().holder("p1", "0-3", priority=1, deleted=True).holder("p2", "8-11", priority=200)
    plan = scene.waiting().waiting("urgent", cores=4, priority=150).plan()
    assert snapshots.let_go(plan) == {"urgent": "w1 app=4-7"}


def test_nobody_keeps_cores_where_all_priorities_are_equal() -> None:
    scene = scenes.Scene().node().holder("p1", "0-3", deleted=True).holder("p2", "8-11")
    plan = scene.waiting(priority=0).waiting("small", cores=1, priority=0, created=builders.CREATED).plan()
    assert snapshots.let_go(plan) == {"small": "w1 app=4"}


def test_cores_that_victims_leave_serve_others_too() -> None:
    scene = scenes.Scene().node().holder("p1", "0-7", priority=1).holder("p2", "8-11", priority=2)
    plan = scene.waiting("big1", 4).waiting("big2", 4).plan()
    assert scenes.ended(plan) == ["p1"]
    assert "gets NeuronCores 0-3 of w1" in plan.waiting["uid-big1"].message
    assert "gets NeuronCores 4-7 of w1" in plan.waiting["uid-big2"].message


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_only_so_many_pods_have_others_ended_in_one_pass_and_the_rest_soon_after() -> None:
    scene = scenes.Scene()
    for index in range(preempting.MOST + 2):
        scene.node(f"w{index}").holder(f"p{index}", "0-11", f"w{index}", priority=1)
        scene.waiting(f"big{index}", cores=12)
    plan = scene.plan()
    assert len(plan.evictions) == preempting.MOST
    assert plan.wake_at == snapshots.NOW + dt.timedelta(seconds=1)
