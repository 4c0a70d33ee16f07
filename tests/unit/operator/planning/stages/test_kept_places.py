"""Who ends for whom, and which cores are kept, stands from plan to plan and ends with its reason."""

from typing import Any

import pytest

from kits.manifests import builders, domain
from kits.planning import kept_planners, scenes
from neuronspan import grants
from neuronspan_operator.objects import budgets
from neuronspan_operator.planning import plans


def _running(name: str, cores: str, node: str = "w1", **fields: Any) -> dict[str, Any]:
    grant = {"node": node, "containers": {"app": cores}}
    return builders.make_pod(
        name, node=node, phase="Running", cores=len(domain.span(cores)), grant=grant, owner="rs", **fields
    )


def _member(node: str, **held: str) -> dict[str, Any]:
    state = grants.GrantState.CONFIRMED
    return kept_planners.member(node, [domain.grant(cores, pod, state=state) for pod, cores in held.items()])


def _bound(plan: plans.Plan) -> list[str]:
    return [each.pod.name for each in plan.bindings]


BIG = builders.make_pod("big", cores=12, priority=100)
SMALL = builders.make_pod("small", cores=4)


@pytest.fixture
def known() -> kept_planners.KeptPlanner:
    """Return a planner with one pod on eight of twelve cores."""
    found = kept_planners.KeptPlanner()
    found.build("w1")
    found.tell(_running("low", "0-7"), members=[_member("w1", low="0-7")])
    return found


def test_eviction_stands_and_its_cores_are_kept_while_other_things_happen(known: kept_planners.KeptPlanner) -> None:
    assert scenes.ended(known.tell(BIG)) == ["low"]
    plan = known.tell(SMALL)
    assert (scenes.ended(plan), _bound(plan)) == (["low"], [])
    assert known.tell(hosts=[builders.make_node("w9")]).waiting["uid-big"].reason == "Preempting"


def test_kept_cores_are_free_for_others_when_their_pod_is_gone(known: kept_planners.KeptPlanner) -> None:
    known.tell(BIG)
    known.tell(SMALL)
    plan = known.tell(gone=["uid-big"])
    assert (scenes.ended(plan), _bound(plan)) == ([], ["small"])


def test_kept_cores_are_free_for_others_when_their_pod_got_some_elsewhere(known: kept_planners.KeptPlanner) -> None:
    known.tell(BIG)
    known.tell(SMALL)
    plan = known.build("w2")
    assert (scenes.ended(plan), _bound(plan)) == ([], ["big"])
    assert _bound(known.carry_out(plan)) == ["small"]


def test_kept_cores_are_free_in_the_plan_in_which_their_pod_gets_some_elsewhere(
    known: kept_planners.KeptPlanner,
) -> None:
    known.tell(BIG)
    known.tell(SMALL, later=0.1)
    known.now += 2 * kept_planners.SECOND
    assert _bound(known.build("w2")) == ["big", "small"]


def test_pod_gets_its_kept_cores_when_they_are_free(known: kept_planners.KeptPlanner) -> None:
    known.tell(BIG)
    known.tell(SMALL)
    plan = known.tell(members=[_member("w1")], gone=["uid-low"])
    assert (scenes.ended(plan), _bound(plan)) == ([], ["big"])


def test_pod_that_is_spared_no_more_ends_at_once(known: kept_planners.KeptPlanner) -> None:
    assert scenes.ended(known.tell(BIG, spared={"uid-low": True})) == []
    assert scenes.ended(known.tell(spared={"uid-low": False})) == ["low"]


def test_pod_whose_budget_allows_it_now_ends_at_once(known: kept_planners.KeptPlanner) -> None:
    known.tell(_running("low", "0-7", labels={"app": "db"}))
    strict, loose = (budgets.read(builders.make_budget(allowed=allowed, labels={"app": "db"})) for allowed in (0, 1))
    known.tell(budgets={strict.key: strict})
    before = known.tell(BIG)
    plan = known.tell(budgets={loose.key: loose})
    assert "budget" in str(before) or scenes.ended(before) == []
    assert scenes.ended(plan) == ["low"]


def test_victims_are_looked_for_again_only_after_a_while(known: kept_planners.KeptPlanner) -> None:
    known.tell(
        _running("low", "0-7", priority=500),
        _running("other", "8-11"),
        members=[_member("w1", low="0-7", other="8-11")],
    )
    assert scenes.ended(known.tell(BIG)) == []
    plan = known.tell(_running("low", "0-7", priority=50), later=0.3)
    assert (scenes.ended(plan), plan.wake_at) == ([], known.now + 0.7 * kept_planners.SECOND)
    assert scenes.ended(known.tell(later=0.7)) == ["low", "other"]
