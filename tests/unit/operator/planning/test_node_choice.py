"""Which of the nodes with room a pod gets: what others say about it, what it prefers, how well its cores are packed."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from kits.manifests import builders, clusters, domain, snapshots
from neuronspan import grants, names, placement
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import planner, plans

Manifest = dict[str, Any]

CONFIRMED = grants.GrantState.CONFIRMED
FIRST = pools.Policy()
AFTER = pools.Policy(preferences=placement.Preferences.AFTER_PACKING)
ZONES = {"w1": "a", "w2": "b", "w3": "b"}


def _pod(name: str, app: str = "web", **fields: Any) -> Manifest:
    spreads = fields.pop("spreads", ())
    pod = builders.make_pod(name, **({"cores": 2} | fields))
    pod["metadata"]["labels"]["app"] = app
    if spreads:
        pod["spec"]["topologySpreadConstraints"] = list(spreads)
    return pod


def _plan(*pods: Manifest, policies: dict[str, pools.Policy] | None = None, **nodes: Manifest) -> plans.Plan:
    """Plan on three empty nodes in two zones; ``nodes`` replace them."""
    known = [nodes.get(name, builders.make_node(name, labels={"zone": zone})) for name, zone in ZONES.items()]
    return _planned(pods, known, [builders.make_neuron_node(name) for name in ZONES], policies or {})


def _planned(
    pods: Iterable[Manifest], known: list[Manifest], members: list[Manifest], policies: dict[str, pools.Policy]
) -> plans.Plan:
    snapshot = dataclasses.replace(snapshots.snapshot(pods, known, members), policies=policies)
    return planner.plan(snapshot, snapshots.NOW)


def _nodes(plan: plans.Plan) -> dict[str, str]:
    return {each.pod.name: each.node for each in plan.bindings}


def _far(key: str = names.HOSTNAME_LABEL) -> Manifest:
    return clusters.affinity(far=[clusters.term(key, {"app": "web"})])


def test_pods_that_avoid_each_other_get_nodes_of_their_own() -> None:
    """Packing alone would put them all on w1; the fourth finds no node."""
    plan = _plan(*(_pod(f"p{index}", affinity=_far()) for index in range(4)))
    assert _nodes(plan) == {"p0": "w1", "p1": "w2", "p2": "w3"}
    assert "3 node(s) didn't match pod anti-affinity rules" in plan.waiting["uid-p3"].message


def test_pod_avoids_those_that_do_not_want_it_near() -> None:
    guard = _pod("guard", "db", node="w1", affinity=_far("zone"))
    assert _nodes(_plan(guard, _pod("p"))) == {"p": "w2"}


def test_pods_that_have_ended_keep_nobody_away() -> None:
    plan = _plan(_pod("done", node="w1", phase="Succeeded"), _pod("next", affinity=_far()))
    assert _nodes(plan) == {"next": "w1"}


def test_pod_follows_the_pods_that_it_must_be_near() -> None:
    near = clusters.affinity(near=[clusters.term("zone", {"app": "db"})])
    assert _nodes(_plan(_pod("db", "db", cores=0, node="w3"), _pod("p", affinity=near))) == {"p": "w2"}


def test_pods_are_spread_as_they_ask() -> None:
    spread = [clusters.spread("zone", {"app": "web"})]
    found = _nodes(_plan(*(_pod(f"p{index}", spreads=spread) for index in range(4))))
    assert [found[f"p{index}"] for index in range(4)] == ["w1", "w2", "w1", "w2"]


def test_host_port_is_given_once_per_node() -> None:
    container = {**builders.container(cores=2), "ports": [{"containerPort": 80, "hostPort": 80}]}
    plan = _plan(*(_pod(f"p{index}", containers=[container]) for index in range(4)))
    assert _nodes(plan) == {"p0": "w1", "p1": "w2", "p2": "w3"}


def test_node_with_the_other_resources_is_chosen() -> None:
    container = builders.container(cores=2)
    container["resources"]["requests"]["vpc.amazonaws.com/efa"] = "4"
    able = builders.make_node("w2")
    able["status"]["allocatable"]["vpc.amazonaws.com/efa"] = "4"
    plan = _plan(_pod("a", containers=[container]), _pod("b", containers=[container]), w2=able)
    assert _nodes(plan) == {"a": "w2"}
    assert "3 Insufficient vpc.amazonaws.com/efa" in plan.waiting["uid-b"].message


def test_hopeless_shape_does_not_hide_that_one_pod_may_go_where_others_may_not() -> None:
    plan = _plan(*(_pod(f"p{index}", affinity=_far("zone")) for index in range(3)), _pod("z", "db"))
    assert _nodes(plan) == {"p0": "w1", "p1": "w2", "z": "w1"}


def _prefers(zone: str) -> Manifest:
    preference = {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}
    return {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": preference}]}
    }


SOFT = {"key": "spot", "value": "", "effect": "PreferNoSchedule"}
LIKED = clusters.affinity(liked={1: clusters.term(names.HOSTNAME_LABEL, {"app": "db"})})
EVENLY = clusters.spread("zone", {"app": "db"}, whenUnsatisfiable="ScheduleAnyway")


@pytest.mark.parametrize(
    ("pod", "node"),
    [
        pytest.param(_pod("p"), "w1", id="nothing: the first of equals"),
        pytest.param(_pod("p", affinity=_prefers("b")), "w2", id="node affinity"),
        pytest.param(_pod("p", affinity=LIKED), "w3", id="pod affinity"),
        pytest.param(_pod("p", "db", spreads=[EVENLY]), "w1", id="spread"),
    ],
)
def test_what_the_pod_prefers_decides_between_nodes(pod: Manifest, node: str) -> None:
    assert _nodes(_plan(_pod("db", "db", cores=0, node="w3"), pod)) == {"p": node}


def test_soft_taints_are_avoided_while_other_nodes_have_room() -> None:
    disliked = builders.make_node("w1", taints=[SOFT])
    plan = _plan(*(_pod(f"p{index}", cores=20) for index in range(3)), w1=disliked)
    assert _nodes(plan) == {"p0": "w2", "p1": "w3", "p2": "w1"}


@pytest.mark.parametrize(
    ("policies", "node"),
    [
        pytest.param({}, "w2", id="preferences come first"),
        pytest.param(dict.fromkeys(ZONES, AFTER), "w1", id="after packing"),
        pytest.param({"w1": AFTER, "w2": AFTER, "w3": FIRST}, "w2", id="first unless all pools agree"),
    ],
)
def test_pools_say_whether_packing_comes_before_preferences(policies: dict[str, pools.Policy], node: str) -> None:
    """On w1 a run of exactly the right size is left."""
    span = domain.span("0-29")
    running = _pod("old", "db", cores=span.count, node="w1", phase="Running")
    known = [builders.make_node(name, labels={"zone": zone}) for name, zone in ZONES.items()]
    members = [
        builders.make_neuron_node("w1", [domain.grant("0-29", "old", state=CONFIRMED)]),
        builders.make_neuron_node("w2"),
        builders.make_neuron_node("w3"),
    ]
    plan = _planned([running, _pod("p", affinity=_prefers("b"))], known, members, policies)
    assert _nodes(plan) == {"p": node}


def test_preferences_decide_between_equally_packed_nodes_after_packing() -> None:
    plan = _plan(_pod("p", affinity=_prefers("b")), policies=dict.fromkeys(ZONES, AFTER))
    assert _nodes(plan) == {"p": "w2"}


def test_promise_of_an_earlier_pass_counts_for_affinity() -> None:
    granted = _pod("a", affinity=_far())
    members = [builders.make_neuron_node("w1", [domain.grant("0-1", "a")]), builders.make_neuron_node("w2")]
    known = [builders.make_node("w1"), builders.make_node("w2")]
    assert _nodes(snapshots.plan([granted, _pod("b", affinity=_far())], known, members)) == {"a": "w1", "b": "w2"}


def test_promises_of_an_earlier_pass_count_for_each_other() -> None:
    near = clusters.affinity(near=[clusters.term(names.HOSTNAME_LABEL, {"app": "db"})])
    members = [builders.make_neuron_node("w1", [domain.grant("0-1", "a"), domain.grant("2-3", "b")])]
    plan = snapshots.plan([_pod("a", affinity=near), _pod("b", "db")], None, members)
    assert _nodes(plan) == {"a": "w1", "b": "w1"}


def test_grant_on_a_node_that_another_pod_made_impossible_is_taken_back() -> None:
    members = [builders.make_neuron_node("w1", [domain.grant("0-1", "a")])]
    plan = snapshots.plan([_pod("a", affinity=_far()), _pod("bound", node="w1")], None, members)
    assert plan.bindings == ()
    assert "on w1: node(s) didn't match pod anti-affinity rules" in plan.waiting["uid-a"].message


def test_cordoned_node_is_used_by_pods_that_tolerate_it() -> None:
    tolerations = [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]
    cordoned = {name: builders.make_node(name, cordoned=True) for name in ZONES}
    assert _nodes(_plan(_pod("a"), _pod("b", tolerations=tolerations), **cordoned)) == {"b": "w1"}


def test_group_that_fails_leaves_no_trace() -> None:
    """Its first member was tried on w1, and who avoids it may still go there."""
    notes = {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "4"}
    group = [_pod(f"g{index}", affinity=_far(), annotations=notes, priority=1) for index in range(4)]
    plan = _plan(*group, _pod("z", affinity=_far()))
    assert _nodes(plan) == {"z": "w1"}
