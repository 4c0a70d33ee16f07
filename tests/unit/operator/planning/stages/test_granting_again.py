"""Who found no place finds one as soon as there is one, whatever brings it about; what was planned stands."""

from typing import Any

import pytest

from kits.manifests import builders, clusters, domain
from kits.planning import kept_planners
from neuronspan import grants, names
from neuronspan_operator.planning import facts, plans

GROUP = {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"}
PLAIN: Any = {"scheduler": "default-scheduler", "phase": "Running"}


def _member(name: str, **fields: Any) -> dict[str, Any]:
    return builders.make_pod(name, cores=8, annotations=GROUP, **fields)


def _full(node: str = "w1", pod: str = "old") -> dict[str, Any]:
    return kept_planners.member(node, [domain.grant("0-11", pod, state=grants.GrantState.CONFIRMED)])


def _owner(node: str = "w1", pod: str = "old") -> dict[str, Any]:
    grant = {"node": node, "containers": {"app": "0-11"}}
    return builders.make_pod(pod, node=node, phase="Running", cores=12, grant=grant)


def _granted(plan: plans.Plan) -> list[str]:
    """Return the pods with grants in the ledgers that are to be written, sorted."""
    return sorted(grant.pod for write in plan.ledgers for grant in write.ledger.grants)


@pytest.fixture
def known() -> kept_planners.KeptPlanner:
    """Return a planner of two nodes in one zone, both without a free core."""
    found = kept_planners.KeptPlanner(again=3600)
    found.build("w1", "w2", labels={"zone": "a"})
    found.tell(_owner("w1", "old-1"), _owner("w2", "old-2"), members=[_full("w1", "old-1"), _full("w2", "old-2")])
    return found


def _free(known: kept_planners.KeptPlanner, node: str) -> plans.Plan:
    """Let everybody on a node be gone, with proof."""
    return known.tell(members=[kept_planners.member(node)], gone=[f"uid-old-{node[1:]}"])


def test_group_is_granted_when_its_last_member_comes() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1", "w2")
    assert known.tell(_member("a")).ledgers == ()
    assert _granted(known.tell(_member("b"))) == ["a", "b"]


def test_group_that_does_not_fit_is_tried_again_when_a_node_gets_room(known: kept_planners.KeptPlanner) -> None:
    assert known.tell(_member("a"), _member("b")).ledgers == ()
    assert _free(known, "w1").ledgers == ()
    assert _granted(_free(known, "w2")) == ["a", "b"]


def test_group_starts_in_the_pass_after_all_its_grants_are_stored() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1", "w2")
    plan = known.tell(_member("a"), _member("b"))
    assert plan.bindings == ()
    plan = known.carry_out(plan)
    assert [each.pod.name for each in plan.bindings] == ["a", "b"]
    assert (known.carry_out(plan).bindings, known.tell().waiting) == ((), {})


def test_member_of_a_group_loses_its_cores_when_another_one_is_gone() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1", "w2")
    known.carry_out(known.tell(_member("a"), _member("b")))
    plan = known.tell(gone=["uid-b"])
    assert [each.pod.name for each in plan.patches] == ["a"]
    assert plan.bindings == ()


def test_member_that_waits_for_others_is_granted_alone_once_one_of_them_was_started() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1", "w2")
    of_three = GROUP | {names.POD_GROUP_SIZE_ANNOTATION: "3"}
    assert known.tell(builders.make_pod("a", cores=4, annotations=of_three)).ledgers == ()
    plan = known.tell(builders.make_pod("b", cores=4, annotations=of_three, node="w2", phase="Running"))
    assert [each.pod.name for each in plan.bindings] == ["a"]


def test_pods_that_wait_alike_are_told_apart_when_a_pod_elsewhere_forbids_one_of_them(
    known: kept_planners.KeptPlanner,
) -> None:
    known.tell(*(builders.make_pod(name, cores=4, labels={"app": name}) for name in ("a", "b")))
    alone = clusters.affinity(far=[clusters.term("zone", {"app": "a"})])
    known.tell(builders.make_pod("guard", node="w2", affinity=alone, **PLAIN))
    assert [each.pod.name for each in _free(known, "w1").bindings] == ["b"]


def test_pod_finds_a_place_when_what_it_wants_to_be_near_comes_to_another_node() -> None:
    known = kept_planners.KeptPlanner(again=3600)
    known.build("w1", labels={"zone": "a"})
    known.tell(hosts=[builders.make_node("plain", labels={"zone": "a"})])
    near = clusters.affinity(near=[clusters.term("zone", {"app": "db"})])
    assert known.tell(builders.make_pod("web", cores=4, affinity=near)).bindings == ()
    plan = known.tell(builders.make_pod("db", node="plain", labels={"app": "db"}, **PLAIN))
    assert [(each.pod.name, each.node) for each in plan.bindings] == [("web", "w1")]


def test_pod_finds_a_place_on_a_node_that_would_not_do_before() -> None:
    known = kept_planners.KeptPlanner(again=3600)
    known.build("w1", taints=[{"key": "dedicated", "value": "ml", "effect": "NoSchedule"}])
    assert known.tell(builders.make_pod("web", cores=4)).bindings == ()
    plan = known.tell(hosts=[builders.make_node("w1", cores=12, devices=6)])
    assert [each.pod.name for each in plan.bindings] == ["web"]


def test_pod_finds_a_place_where_it_is_not_refused_any_more() -> None:
    known = kept_planners.KeptPlanner(again=3600)
    known.build("w1")
    avoided = {"uid-web": frozenset({"w1"})}
    assert known.tell(builders.make_pod("web", cores=4), avoided=avoided).bindings == ()
    assert [each.pod.name for each in known.tell(avoided={"uid-web": frozenset()}).bindings] == ["web"]


def test_pod_with_a_stored_grant_is_bound_once_in_each_plan_until_it_is_on_its_node() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    (write,) = known.tell(builders.make_pod("web", cores=4)).ledgers
    stored = kept_planners.member("w1", write.ledger.grants)
    for phase in ("Pending", "Running"):
        plan = known.tell(builders.make_pod("plain", scheduler="default-scheduler", phase=phase), members=[stored])
        assert [each.pod.name for each in plan.bindings] == ["web"]
        assert plan.ledgers == ()


def test_grants_of_one_pass_are_one_anothers_neighbours_in_the_next() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1", "w2")
    alone = clusters.affinity(far=[clusters.term(names.HOSTNAME_LABEL, {"app": "web"})])
    first = builders.make_pod("a", cores=2, labels={"app": "web"}, affinity=alone)
    known.carry_out(known.tell(first))
    plan = known.tell(builders.make_pod("b", cores=2, labels={"app": "web"}, affinity=alone))
    assert [(each.pod.name, each.node) for each in plan.bindings] == [("b", "w2")]


def test_plan_wakes_when_a_pod_will_have_waited_too_long() -> None:
    known = kept_planners.KeptPlanner(again=3600, starvation=20)
    known.build("w1")
    known.tell(_owner(), members=[_full()])
    created = known.now.isoformat().replace("+00:00", "Z")
    plan = known.tell(builders.make_pod("web", cores=4, created=created))
    assert plan.wake_at is not None
    assert (plan.wake_at - known.now).total_seconds() == 20
    assert "are kept for it" not in plan.waiting["uid-web"].message
    late = known.planner.plan(facts.Changes(), plan.wake_at)
    assert "are kept for it" in late.waiting["uid-web"].message
