"""Whose end makes room on one node; the property tests compare with brute force."""

from kits.manifests import builders, domain
from kits.planning import kept_drafts, scenes
from neuronspan_operator.planning.preemption import allowances, trials, victims


def _best(scene: scenes.Scene, *spared: str) -> victims.Candidate | None:
    snapshot = scene.snapshot()
    draft = kept_drafts.make_draft(snapshot)
    pod = snapshot.pods["uid-big"]
    trial = trials.Question(draft, pod).trial("w1")
    assert trial is not None
    return victims.best(trial, pod, allowances.Allowance(()), spared)


def _names(found: victims.Candidate | None) -> list[str]:
    return [] if found is None else [each.name for each in found.victims]


def test_highest_priority_among_the_victims_counts_most() -> None:
    scene = scenes.Scene().node().holder("a", "0-2", priority=1).holder("b", "3-5", priority=1)
    found = _best(scene.holder("c", "6-11", priority=2).waiting(cores=6))
    assert found is not None
    assert (_names(found), found.cost) == (["a", "b"], (1, 2, 2, 6))


def test_fewer_victims_beat_a_lower_sum_of_priorities() -> None:
    scene = scenes.Scene().node().holder("a", "0-2", priority=3).holder("b", "3-5", priority=-9)
    assert _names(_best(scene.holder("c", "6-11", priority=3).waiting(cores=6))) == ["c"]


def test_fewer_cores_are_ended_where_all_else_is_equal() -> None:
    scene = scenes.Scene().node().holder("a", "0-3").holder("keeps", "4-7", priority=999).holder("b", "8-11")
    scene.entries["w1"][0] = domain.grant("0-2", "a")
    assert _names(_best(scene.waiting(cores=3))) == ["a"]


def test_victim_that_others_make_needless_is_spared_when_not_all_sets_can_be_tried() -> None:
    """Forty pods without cores share the CPU, and two containers need two runs: too many sets for trying them all."""
    scene = scenes.Scene().node(cpu="40").holder("a", "0-11", priority=1)
    for index in range(40):
        one = builders.container(cpu="1")
        scene.pods.append(builders.make_pod(f"c{index:02}", containers=[one], node="w1", phase="Running"))
    both = [builders.container("x", cores=6, cpu="3"), builders.container("y", cores=6, cpu="2")]
    found = _best(scene.waiting(containers=both))
    assert found is not None
    assert len(found.victims) == 6
    assert "a" in _names(found)


def test_pods_that_are_spared_are_not_ended() -> None:
    scene = scenes.Scene().node().holder("a", "0-5").holder("b", "6-11")
    assert _names(_best(scene.waiting(cores=6), "uid-a")) == ["b"]


def test_pod_that_is_granted_and_not_bound_is_nobodys_victim() -> None:
    scene = scenes.Scene().node().holder("a", "0-11")
    scene.pods = [builders.make_pod("a", cores=12)]
    assert _best(scene.waiting()) is None


def test_static_pod_is_nobodys_victim() -> None:
    """The API server can end its mirror only."""
    scene = scenes.Scene().node()
    scene.pods.append(builders.make_mirror("a", cores=12, phase="Running"))
    scene.entries["w1"] = [domain.grant("0-11", "a", pod_uid=builders.STATIC_UID)]
    assert _best(scene.waiting()) is None
