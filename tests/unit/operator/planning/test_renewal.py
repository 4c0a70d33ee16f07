"""An event is answered from what it concerns: a planner that is kept looks at nothing else."""

from typing import Any

import pytest

from kits.manifests import builders, clusters, domain
from kits.planning import kept_planners
from neuronspan import grants, names
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import facts

NODES = [f"w{number:03}" for number in range(50)]
CONFIRMED, RELEASING = grants.GrantState.CONFIRMED, grants.GrantState.RELEASING


def _full(name: str, cores: str = "0-11", **fields: Any) -> dict[str, Any]:
    """Return a node whose cores a pod has that runs there."""
    return kept_planners.member(name, [domain.grant(cores, f"on-{name}", state=CONFIRMED)], **fields)


def _owner(node: str, **fields: Any) -> dict[str, Any]:
    grant = {"node": node, "containers": {"app": "0-11"}}
    return builders.make_pod(f"on-{node}", node=node, phase="Running", cores=12, grant=grant, **fields)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> kept_planners.Looks:
    return kept_planners.Looks(monkeypatch)


@pytest.fixture
def crowd(looks: kept_planners.Looks) -> kept_planners.KeptPlanner:
    """Return a planner with fifty nodes that are full, and a pod that waits."""
    found = kept_planners.KeptPlanner(again=3600)
    found.build(*NODES)
    found.tell(*map(_owner, NODES), members=map(_full, NODES))
    found.tell(builders.make_pod("waits", cores=4))
    looks.forget()
    return found


def test_pod_that_came_to_its_node_may_be_ended_for_others_from_then_on() -> None:
    found = kept_planners.KeptPlanner(again=0)
    found.build("w1")
    found.tell(builders.make_pod("plain", scheduler="default-scheduler", node="w1", phase="Running"))
    low = builders.make_pod("low", cores=12, priority=1, owner="web")
    (write,) = found.tell(low).ledgers
    stored = {"w1": kept_planners.member("w1", write.ledger.grants)}
    assert found.tell(builders.make_pod("big", cores=12, priority=100), members=stored.values()).evictions == ()
    placed = builders.make_pod("low", cores=12, priority=1, owner="web", node="w1", version="2")
    assert [each.pod.name for each in found.tell(placed).evictions] == ["low"]


@pytest.mark.parametrize("node", ["", "w007"], ids=["on no node", "on a node"])
def test_pod_that_asks_for_nothing_opens_no_node_and_no_pod(
    crowd: kept_planners.KeptPlanner, looks: kept_planners.Looks, node: str
) -> None:
    for phase in ("Pending", "Running", "Succeeded"):
        crowd.tell(builders.make_pod("plain", scheduler="default-scheduler", node=node, phase=phase, version=phase))
    assert (looks.nodes, looks.pods) == ([], [])
    assert len(looks.judged) <= 3


def test_report_of_one_node_opens_that_node_only(crowd: kept_planners.KeptPlanner, looks: kept_planners.Looks) -> None:
    crowd.tell(members=[_full("w007", unhealthy=[3])])
    assert looks.nodes == ["w007"]
    assert "uid-waits" not in looks.pods
    assert looks.judged == []


def test_waiting_pod_is_looked_at_only_on_the_node_that_got_room(
    crowd: kept_planners.KeptPlanner, looks: kept_planners.Looks
) -> None:
    plan = crowd.tell(members=[kept_planners.member("w007")], gone=["uid-on-w007"])
    assert [(each.pod.name, each.node) for each in plan.bindings] == [("waits", "w007")]
    assert set(looks.nodes) == set(looks.judged) == {"w007"}


def test_pod_that_others_keep_waiting_is_looked_at_only_where_something_changed(looks: kept_planners.Looks) -> None:
    known = kept_planners.KeptPlanner(again=3600)
    known.build(*NODES)
    near = clusters.affinity(near=[clusters.term(names.HOSTNAME_LABEL, {"app": "db"})])
    known.tell(builders.make_pod("web", cores=4, affinity=near))
    assert set(NODES) <= set(looks.judged)
    looks.forget()
    known.tell(members=[kept_planners.member("w007", unhealthy=[3])])
    assert (set(looks.nodes), set(looks.judged), looks.pods) == ({"w007"}, {"w007"}, [])


def test_new_pod_opens_no_node_but_its_own(crowd: kept_planners.KeptPlanner, looks: kept_planners.Looks) -> None:
    crowd.tell(members=[kept_planners.member("w007")], gone=["uid-on-w007"])
    looks.forget()
    plan = crowd.tell(builders.make_pod("new", cores=8))
    assert [each.pod.name for each in plan.bindings] == ["new", "waits"]
    assert set(looks.nodes) | set(looks.judged) == {"w007"}


def test_version_of_a_running_pod_decides_nothing(crowd: kept_planners.KeptPlanner, looks: kept_planners.Looks) -> None:
    crowd.tell(_owner("w007", version="2"))
    assert (looks.nodes, looks.pods, looks.judged) == ([], [], [])


def _guest(version: str = "1") -> dict[str, Any]:
    """Return a guest that was let go to four cores of w1, and that its scheduler has refused."""
    return builders.make_pod(
        "web",
        cores=4,
        scheduler="volcano",
        owner="rs",
        unscheduled="0/1 nodes",
        selector={names.HOSTNAME_LABEL: "w1"},
        grant={"node": "w1", "containers": {"app": "0-3"}},
        version=version,
    )


def test_running_pod_counts_no_more_when_it_is_over() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    alone = clusters.affinity(far=[clusters.term(names.HOSTNAME_LABEL, {"app": "web"})])
    plain: Any = {"scheduler": "default-scheduler", "node": "w1", "labels": {"app": "web"}}
    known.tell(builders.make_pod("plain", phase="Running", **plain))
    assert known.tell(builders.make_pod("shy", cores=4, affinity=alone)).bindings == ()
    plan = known.tell(builders.make_pod("plain", phase="Succeeded", **plain))
    assert [each.pod.name for each in plan.bindings] == ["shy"]


def test_pod_is_evicted_as_it_is_now_when_only_its_version_changed() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    known.tell(
        _guest(),
        hosts=[builders.make_node("w1", cores=12, devices=6, cordoned=True)],
        members=[kept_planners.member("w1", [domain.grant("0-3", "web")])],
    )
    plan = known.tell(_guest(version="7"))
    assert [each.pod.resource_version for each in plan.evictions] == ["7"]


def test_grants_of_a_pod_that_is_known_to_be_gone_are_released_without_another_word() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    assert known.tell(members=[_full("w1")]).inquiries
    plan = known.tell(gone=["uid-on-w1"])
    assert [grant.state for grant in plan.ledgers[0].ledger.grants] == [RELEASING]
    assert plan.inquiries == ()


def test_policy_of_a_pool_reaches_its_nodes() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    known.tell(members=[_full("w1", "0-7")])
    shut = pools.PoolView("trn", deleted=True)
    changes = facts.Changes(
        pools={"trn": shut},
        members={"w1": pools.Member(known.planner.facts.snapshot().neuron_nodes["w1"], "trn")},
    )
    known.planner.plan(changes, known.now)
    assert known.tell(builders.make_pod("web", cores=2)).bindings == ()
    known.planner.plan(facts.Changes(pools={"trn": pools.PoolView("trn")}), known.now)
    assert [each.pod.name for each in known.tell().bindings] == ["web"]


def test_write_that_was_not_stored_is_planned_again_with_the_next_event() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    first = known.tell(builders.make_pod("web", cores=4))
    again = known.tell(builders.make_pod("plain", scheduler="default-scheduler"))
    assert [write.node for write in again.ledgers] == ["w1"]
    assert [each.pod.name for each in again.bindings] == [each.pod.name for each in first.bindings] == ["web"]


def test_timer_that_has_ended_is_decided_without_an_event() -> None:
    known = kept_planners.KeptPlanner()
    known.build("w1")
    since = known.now.isoformat().replace("+00:00", "Z")
    plan = known.tell(_guest(), members=[kept_planners.member("w1", [domain.grant("0-3", "web", since=since)])])
    assert plan.evictions == ()
    assert plan.wake_at is not None
    assert [each.pod.name for each in known.planner.plan(facts.Changes(), plan.wake_at).evictions] == ["web"]
