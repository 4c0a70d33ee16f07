"""Which nodes are looked at, how often, and what is remembered of them."""

import dataclasses
import datetime as dt

from kits.manifests import builders, domain, snapshots
from kits.planning import kept_drafts, scenes
from neuronspan_operator.objects import budgets, nodes
from neuronspan_operator.planning.preemption import allowances, searching, trials, victims

MANY = searching.NODES + 20


def _scene(count: int) -> scenes.Scene:
    scene = scenes.Scene()
    for index in range(count):
        scene.node(f"w{index:03}").holder(f"p{index}", "0-11", f"w{index:03}", priority=1)
    return scene.waiting()


def _looked_at(scene: scenes.Scene, seconds: float = 0.0) -> list[str]:
    snapshot = scene.snapshot()
    question = trials.Question(kept_drafts.make_draft(snapshot), snapshot.pods["uid-big"])
    return [name for name, _ in searching.each_nearby(question, "q", (), lambda trial: trial.node.name, seconds)]


def test_so_many_nodes_are_looked_at_and_with_time_all_others() -> None:
    now = _looked_at(_scene(MANY))
    later = _looked_at(_scene(MANY), searching.AGAIN_SECONDS)
    assert len(now) == len(later) == searching.NODES
    assert len({*now, *later}) == MANY


def test_nodes_where_the_pod_cannot_be_are_not_counted() -> None:
    scene = _scene(MANY)
    for name in sorted(scene.nodes)[: MANY - 3]:
        scene.nodes[name] = builders.make_node(name, cordoned=True)
    assert len(_looked_at(scene)) == 3


def test_node_that_the_pod_is_nominated_for_is_looked_at_first() -> None:
    scene = _scene(MANY)
    scene.pods[-1]["status"]["nominatedNodeName"] = "w042"
    assert _looked_at(scene)[0] == "w042"


def test_search_that_finds_nobody_looks_at_the_next_nodes_after_a_while() -> None:
    scene = _scene(MANY)
    for pod in scene.pods[:-1]:
        pod["spec"]["priority"] = 200
    scene.pods[0]["spec"]["priority"] = 1
    scene.entries["w000"] = []
    scene.nodes["w000"] = builders.make_node("w000", cordoned=True)
    assert scene.plan().wake_at == snapshots.NOW + dt.timedelta(seconds=searching.AGAIN_SECONDS)


def test_what_was_found_on_a_node_is_remembered_until_something_happens_there() -> None:
    snapshot = _scene(2).snapshot()
    draft = kept_drafts.make_draft(snapshot)
    pod = snapshot.pods["uid-big"]

    def found() -> victims.Candidate | None:
        return searching.find(draft, pod, allowances.Allowance(()))

    first = found()
    assert first is not None
    assert first.node == "w000"
    cordoned = nodes.read(builders.make_node("w000", cordoned=True))
    draft.cluster.nodes["w000"] = dataclasses.replace(draft.cluster.nodes["w000"], host=cordoned)
    assert found() == first, "nobody said that anything happened"
    draft.journal.note("w000")
    second = found()
    assert second is not None
    assert second.node == "w001"


def test_what_was_found_does_not_hold_when_the_budgets_are_others() -> None:
    scene = scenes.Scene().node().holder("a", "0-11", priority=1).waiting()
    snapshot = scene.snapshot()
    draft = kept_drafts.make_draft(snapshot)
    pod = snapshot.pods["uid-big"]
    assert searching.find(draft, pod, allowances.Allowance(())) is not None
    none = [budgets.read(builders.make_budget(allowed=0))]
    assert searching.find(draft, pod, allowances.Allowance(none)) is None


def test_what_was_found_does_not_hold_when_the_ledger_is_another() -> None:
    """States and times of grants change without anything that the journal notes."""
    snapshot = _scene(2).snapshot()
    draft = kept_drafts.make_draft(snapshot)
    pod = snapshot.pods["uid-big"]
    found = [searching.find(draft, pod, allowances.Allowance(()))]
    draft.nodes["w000"].ledger = domain.book(12, [domain.grant("0-3", "p0"), domain.grant("4-7", "other")])
    found.append(searching.find(draft, pod, allowances.Allowance(())))
    assert [None if each is None else each.node for each in found] == ["w000", "w001"]
