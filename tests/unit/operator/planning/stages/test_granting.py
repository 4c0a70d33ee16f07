import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names, placement
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import planner


def _nodes(*names_: str, **fields: Any) -> list[dict[str, Any]]:
    return [builders.make_node(name, **fields) for name in names_]


def test_grant_carries_what_the_container_asked_for() -> None:
    notes = {names.ENV_ANNOTATION: "count", names.GROUP_SIZES_ANNOTATION: "3,1"}
    init = [builders.container("warm-up", cores=2)]
    plan = snapshots.plan([builders.make_pod(cores=4, annotations=notes, init_containers=init)])
    (entry,) = plan.ledgers[0].ledger.grants
    assert entry == domain.grant(
        "0-3",
        since="2026-01-31T10:00:00.000000Z",
        env=grants.EnvMode.COUNT,
        group_sizes="3,1",
        init_containers=("warm-up",),
    )
    assert plan.ledgers[0].resource_version == "1"
    assert snapshots.let_go(plan) == {"web": "w1 app=0-3"}


def test_all_containers_get_cores_of_one_node() -> None:
    pod = builders.make_pod(containers=[builders.container("a", cores=20), builders.container("b", cores=20)])
    members = [builders.make_neuron_node("w1"), builders.make_neuron_node("w2")]
    plan = snapshots.plan([pod], _nodes("w1", "w2"), members)
    assert plan.ledgers == ()
    fitting = builders.make_pod(containers=[builders.container("a", cores=20), builders.container("b", cores=12)])
    assert snapshots.let_go(snapshots.plan([fitting], _nodes("w1", "w2"), members)) == {"web": "w1 a=0-19 b=20-31"}


def test_devices_are_whole() -> None:
    members = [builders.make_neuron_node("w1", [domain.grant("0", "other", state=grants.GrantState.RELEASING)])]
    plan = snapshots.plan([builders.make_pod(devices=2)], None, members)
    assert snapshots.let_go(plan) == {"web": "w1 app=2-5"}


def test_given_cores_are_given() -> None:
    notes = {names.VISIBLE_CORES_ANNOTATION: "9-11"}
    assert snapshots.let_go(snapshots.plan([builders.make_pod(cores=3, annotations=notes)])) == {"web": "w1 app=9-11"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"priority": 10}, {"priority": 0}, id="priority"),
        pytest.param({"created": "2026-01-31T08:00:00Z"}, {"created": "2026-01-31T09:00:00Z"}, id="age"),
        pytest.param({"uid": "uid-1"}, {"uid": "uid-2"}, id="uid"),
        pytest.param(
            {"priority": 1, "created": "2026-01-31T09:00:00Z"},
            {"created": "2026-01-31T08:00:00Z"},
            id="priority beats age",
        ),
    ],
)
def test_pods_are_served_in_order(first: dict[str, Any], second: dict[str, Any]) -> None:
    pods = [builders.make_pod("late", cores=20, **second), builders.make_pod("early", cores=20, **first)]
    plan = snapshots.plan(pods)
    assert snapshots.let_go(plan) == {"early": "w1 app=0-19"}
    assert [each.reason for each in plan.waiting.values()] == ["NoRoom"]


def test_smaller_pod_may_pass_one_that_does_not_fit() -> None:
    pods = [builders.make_pod("large", cores=40, priority=5), builders.make_pod("small", cores=4)]
    assert snapshots.let_go(snapshots.plan(pods)) == {"small": "w1 app=0-3"}


@pytest.mark.parametrize(
    ("packing", "node"),
    [
        (placement.Packing.BEST_FIT, "w2"),
        (placement.Packing.FIRST_FIT, "w1"),
        (placement.Packing.WORST_FIT, "w3"),
    ],
)
def test_node_is_chosen_by_the_packing_of_its_pool(packing: placement.Packing, node: str) -> None:
    occupied = {"w1": "0-9", "w2": "0-27", "w3": ""}
    members = [
        builders.make_neuron_node(
            name, [domain.grant(cores, f"old-{name}", state=grants.GrantState.RELEASING)] if cores else []
        )
        for name, cores in occupied.items()
    ]
    plan = snapshots.plan([builders.make_pod(cores=4)], _nodes(*occupied), members, pools.Policy(packing))
    assert snapshots.let_go(plan)["web"].startswith(node)


def test_tightest_run_beats_the_fullest_node() -> None:
    busy = {"state": grants.GrantState.RELEASING}
    tight = [domain.grant("4-7", "a", **busy), domain.grant("24-31", "b", **busy)]  # a run of four, and a long one
    full = [domain.grant("0-25", "c", **busy)]  # a run of six
    members = [builders.make_neuron_node("w1", full), builders.make_neuron_node("w2", tight)]
    plan = snapshots.plan([builders.make_pod(cores=4)], _nodes("w1", "w2"), members)
    assert snapshots.let_go(plan) == {"web": "w2 app=0-3"}


def test_alignment_of_the_pool_is_the_default() -> None:
    busy = [domain.grant("0", "old", state=grants.GrantState.RELEASING)]
    policy = pools.Policy(rules=placement.Rules(placement.Alignment.DEVICE))
    plan = snapshots.plan([builders.make_pod(cores=3)], None, [builders.make_neuron_node("w1", busy)], policy)
    assert snapshots.let_go(plan) == {"web": "w1 app=2-4"}


def test_rules_of_each_pool_hold_on_its_own_nodes() -> None:
    """Two nodes in equal states, whose pools differ in one rule."""
    taken = [domain.grant("0", "old", state=grants.GrantState.RELEASING)]
    members = [builders.make_neuron_node(name, taken) for name in ("w1", "w2", "w3")]
    pods = [
        builders.make_pod(f"on-{name}", cores=8, selector={names.HOSTNAME_LABEL: name}) for name in ("w1", "w2", "w3")
    ]
    rules = {
        "w1": placement.Rules(),
        "w2": placement.Rules(placement.Alignment.LINK),
        "w3": placement.Rules(device_counts=placement.DeviceCounts.AWS),
    }
    known = snapshots.snapshot(pods, _nodes(*rules), members)
    known = dataclasses.replace(known, policies={name: pools.Policy(rules=each) for name, each in rules.items()})
    plan = planner.plan(known, snapshots.NOW)
    assert snapshots.let_go(plan) == {"on-w1": "w1 app=1-8", "on-w2": "w2 app=8-15", "on-w3": "w3 app=8-15"}


def test_unhealthy_cores_are_avoided() -> None:
    members = [builders.make_neuron_node("w1", unhealthy=[2, 9])]
    assert snapshots.let_go(snapshots.plan([builders.make_pod(cores=6)], None, members)) == {"web": "w1 app=3-8"}


@pytest.mark.parametrize(
    ("pod", "node"),
    [
        pytest.param({"containers": [builders.container(cores=4, cpu="40")]}, {}, id="cpu"),
        pytest.param({"containers": [builders.container(cores=4, memory="150Gi")]}, {}, id="memory"),
        pytest.param({"cores": 4}, {"pods": 1}, id="pod slots"),
    ],
)
def test_earlier_decisions_of_the_same_pass_are_counted(pod: dict[str, Any], node: dict[str, Any]) -> None:
    plan = snapshots.plan([builders.make_pod("a", **pod), builders.make_pod("b", **pod)], _nodes("w1", **node))
    assert snapshots.let_go(plan) == {"a": "w1 app=0-3"}
    assert "uid-b" in plan.waiting


def test_pods_on_their_way_to_a_node_are_counted() -> None:
    shape: dict[str, Any] = {"containers": [builders.container(cores=4, cpu="40")]}
    on_its_way = builders.make_pod("a", scheduler="default-scheduler", selector={names.HOSTNAME_LABEL: "w1"}, **shape)
    members = [builders.make_neuron_node("w1", [domain.grant("0-3", "a", since=snapshots.ago(1))])]
    assert snapshots.plan([on_its_way, builders.make_pod("b", **shape)], None, members).bindings == ()


def test_pods_that_are_over_are_not_counted() -> None:
    shape: dict[str, Any] = {"containers": [builders.container(cores=4, cpu="40")]}
    over = builders.make_pod("a", node="w1", phase="Succeeded", **shape)
    assert snapshots.let_go(snapshots.plan([over, builders.make_pod("b", **shape)])) == {"b": "w1 app=0-3"}


def test_scheduler_is_never_asked_for_more_than_it_counts() -> None:
    """An unhealthy core under a running pod makes allocatable smaller than the ledger's free cores suggest."""
    running = builders.make_pod("old", cores=4, node="w1", phase="Running")
    members = [
        builders.make_neuron_node(
            "w1",
            [domain.grant("0-3", "old", state=grants.GrantState.CONFIRMED)],
            unhealthy=[3],
            held=[builders.held("0-3", "old")],
        )
    ]
    new = builders.make_pod("new", cores=28)
    assert snapshots.plan([running, new], _nodes("w1", cores=31), members).bindings == ()
    assert len(snapshots.plan([running, new], _nodes("w1", cores=32), members).bindings) == 1


def test_each_pod_goes_where_its_selector_says() -> None:
    nodes = [builders.make_node("w1", labels={"zone": "a"}), builders.make_node("w2", labels={"zone": "b"})]
    members = [builders.make_neuron_node("w1"), builders.make_neuron_node("w2")]
    pods = [builders.make_pod(zone, cores=4, selector={"zone": zone}) for zone in ("b", "a")]
    assert snapshots.let_go(snapshots.plan(pods, nodes, members)) == {"a": "w1 app=0-3", "b": "w2 app=0-3"}


@pytest.mark.parametrize(
    "former",
    [
        pytest.param(
            builders.make_pod("old", containers=[builders.container(cores=4, cpu="40")], fence=domain.SINCE),
            id="revoked",
        ),
        pytest.param(
            builders.make_pod(
                "old",
                containers=[builders.container(cores=4, cpu="40")],
                scheduler="volcano",
                selector={names.HOSTNAME_LABEL: "w2"},
            ),
            id="belongs elsewhere",
        ),
    ],
)
def test_cpu_of_a_grant_is_free_in_the_pass_that_releases_it(former: dict[str, Any]) -> None:
    waiting = builders.make_pod("new", containers=[builders.container(cores=4, cpu="40")], priority=1)
    plan = snapshots.plan([former, waiting], None, [builders.make_neuron_node("w1", [domain.grant("0-3", "old")])])
    assert snapshots.written(plan) == {"old/app": "0-3 Releasing", "new/app": "4-7 Granted"}
