"""What is kept free for pods that have waited too long."""

import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from kits.planning import scenes
from neuronspan import grants

STARVED: dict[str, Any] = {"starvation_seconds": 60.0}
OLD = snapshots.ago(100)
BEFORE = snapshots.ago(90)
LATE = snapshots.ago(20)


def _scene(*nodes: str) -> scenes.Scene:
    """Return nodes of whose twelve cores four are free, the others held by two pods that end by themselves."""
    scene = scenes.Scene()
    for node in nodes or ("w1",):
        scene.node(node).holder(f"a-{node}", "0-3", node, since=BEFORE, ends=True)
        scene.holder(f"b-{node}", "4-7", node, since=BEFORE, ends=True)
    return scene


def _large(scene: scenes.Scene, cores: int = 8, **fields: Any) -> scenes.Scene:
    return scene.waiting("large", cores, **{"priority": 0, "created": OLD, **fields})


def _small(scene: scenes.Scene, **fields: Any) -> scenes.Scene:
    return scene.waiting("small", **{"cores": 1, "priority": 0, "created": LATE, **fields})


def test_later_pods_get_nothing_of_the_place_of_one_that_has_waited_too_long() -> None:
    plan = _small(_large(_scene())).plan(**STARVED)
    assert snapshots.let_go(plan) == {}
    assert plan.waiting["uid-large"].message.endswith(
        "It has waited so long that NeuronCores 4-11 of w1 are kept for it."
    )
    assert "kept for pods before this one" in plan.waiting["uid-small"].message


def test_pod_that_waits_only_for_its_place_is_still_one_for_autoscalers() -> None:
    assert _large(_scene()).plan(**STARVED).waiting["uid-large"].reason == "NoRoom"


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        pytest.param({"created": LATE}, 60.0, id="it has not waited long"),
        pytest.param({}, 0.0, id="nothing is ever kept"),
        pytest.param({"cores": 13}, 60.0, id="it fits nowhere"),
        pytest.param({"selector": {"disk": "ssd"}}, 60.0, id="no node suits it"),
        pytest.param({"containers": [builders.container(cores=8, cpu="65")]}, 60.0, id="CPU would be lacking then"),
    ],
)
def test_nothing_is_kept_for_a_pod_without_a_right_to_it(fields: dict[str, Any], seconds: float) -> None:
    plan = _small(_large(_scene(), **fields), created=snapshots.ago(10)).plan(starvation_seconds=seconds)
    assert snapshots.let_go(plan) == {"small": "w1 app=8"}


def test_plan_wakes_up_when_the_wait_becomes_too_long() -> None:
    plan = _large(_scene(), created=LATE).plan(**STARVED)
    assert plan.wake_at == snapshots.NOW + dt.timedelta(seconds=40)


def test_pods_of_higher_rank_get_cores_of_the_place() -> None:
    plan = _small(_large(_scene()), priority=1, preempts=False).plan(**STARVED)
    assert snapshots.let_go(plan) == {"small": "w1 app=8"}


def test_place_is_where_fewest_cores_are_held() -> None:
    scene = _scene("w1", "w2").holder("c", "8-9", "w1", since=BEFORE, ends=True)
    plan = _large(scene).plan(**STARVED)
    assert "NeuronCores 4-11 of w2 are kept" in plan.waiting["uid-large"].message


def test_place_is_where_nobody_came_since_the_wait_became_too_long() -> None:
    """Were it chosen by what is held alone, it could be exchanged for ever for one that somebody has just come to."""
    scene = scenes.Scene().node("w1").node("w2")
    scene.holder("new", "0-3", "w1", since=LATE, ends=True).holder("other", "9-11", "w1", since=LATE, ends=True)
    scene.holder("old", "0-8", "w2", since=BEFORE, ends=True)
    plan = _large(scene, 9).plan(**STARVED)
    assert "NeuronCores 3-11 of w2 are kept" in plan.waiting["uid-large"].message


def test_moment_at_which_kubelet_took_a_pod_over_counts_and_not_that_of_its_grants_state() -> None:
    scene = scenes.Scene().node("w1").node("w2")
    scene.holder("a", "0-3", "w1", since=LATE, ends=True, started=BEFORE)  # confirmed late, after a long start
    scene.holder("b", "0-4", "w2", since=BEFORE, ends=True)
    plan = _large(scene, 12).plan(**STARVED)
    assert "of w1 are kept for it" in plan.waiting["uid-large"].message


def test_place_is_where_pods_end_by_themselves() -> None:
    scene = scenes.Scene().node("w1").node("w2")
    scene.holder("service", "0", "w1", since=BEFORE).holder("job", "0-5", "w2", since=BEFORE, ends=True)
    plan = _large(scene, 12).plan(**STARVED)
    assert "of w2 are kept for it" in plan.waiting["uid-large"].message


def test_one_place_is_kept_for_pods_that_ask_the_same_and_one_on_ten_nodes() -> None:
    scene = _large(_scene("w1", "w2")).waiting("twin", 8, priority=0, created=snapshots.ago(99))
    plan = _small(scene.waiting("other", 9, priority=0, created=snapshots.ago(98))).plan(**STARVED)
    assert snapshots.let_go(plan) == {"small": "w2 app=8"}


def test_containers_of_one_pod_have_their_places_kept_together() -> None:
    both = [builders.container("a", cores=4), builders.container("b", cores=4)]
    scene = scenes.Scene().node().holder("service", "0-1", since=BEFORE)
    scene.holder("a", "2-3", since=BEFORE, ends=True).holder("b", "8-9", since=BEFORE, ends=True)
    plan = _small(scene.waiting("large", containers=both, priority=0, created=OLD)).plan(**STARVED)
    assert "NeuronCores 2-5, 6-9 of w1 are kept" in plan.waiting["uid-large"].message
    assert snapshots.let_go(plan) == {"small": "w1 app=10"}


def test_cores_that_wait_for_their_proof_are_held() -> None:
    scene = scenes.Scene().node("w1").node("w2")
    scene.entries["w1"].append(domain.grant("0-3", "gone", state=grants.GrantState.RELEASING, since=BEFORE))
    scene.holder("a", "0-1", "w2", since=BEFORE, ends=True)
    plan = _large(scene, 12).plan(**STARVED)
    assert "of w2 are kept for it" in plan.waiting["uid-large"].message
