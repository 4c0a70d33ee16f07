"""Which node belongs to which pool, decided from values."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from kits import builders
from neuronspan import grants, instance_types, names, placement, spans
from neuronspan_operator import nodes, plans, pools

TRN1 = instance_types.hardware_of("trn1.32xlarge")
INF2 = instance_types.hardware_of("inf2.24xlarge")
GRANT = grants.Grant(
    "uid-web", "default", "web", "app", spans.CoreSpan(0, 4), names.CORE_RESOURCE, grants.EnvMode.VISIBLE,
    grants.GrantState.GRANTED, "2026-01-31T09:00:00Z",
)  # fmt: skip


def manifest(name: str = "a", **spec: Any) -> dict[str, Any]:
    default = {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "trn1.32xlarge"}}
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "generation": 3},
        "spec": default | spec,
    }


def pool(name: str = "a", *, deleted: bool = False, **spec: Any) -> pools.PoolView:
    return dataclasses.replace(pools.read(manifest(name, **spec)), deleted=deleted)


def node(name: str = "w1", **labels: str) -> nodes.NodeView:
    return nodes.read(builders.make_node(name, labels=labels or {"neuron": "yes"}))


def member(name: str = "w1", *, of: str = "a", entries: tuple[grants.Grant, ...] = (), **other: Any) -> pools.Member:
    raw = builders.make_neuron_node(name, entries, **other)
    raw["metadata"]["labels"] = {pools.POOL_LABEL: of} if of else {}
    return pools.read_member(raw)


def decide(
    *known: pools.PoolView, cluster: tuple[nodes.NodeView, ...] = (), members: tuple[pools.Member, ...] = ()
) -> pools.Decision:
    return pools.decide(
        {each.name: each for each in known},
        {each.name: each for each in cluster},
        {each.view.name: each for each in members},
    )


def test_read_takes_profile_and_policy() -> None:
    view = pools.read(
        manifest(
            hardware={"instanceType": "trn2.48xlarge", "logicalCoreSize": 1},
            policy={"packing": "worst-fit", "alignment": "device", "limboSeconds": 30, "quarantineSeconds": 0},
        )
    )
    assert view.hardware == instance_types.hardware_of("trn2.48xlarge", 1)
    assert view.policy == plans.Policy(placement.Packing.WORST_FIT, placement.Alignment.DEVICE, 30.0, 0.0)
    assert (view.generation, view.resource_version, view.problem) == (3, "7", "")


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        ({"hardware": {"instanceType": "p5.48xlarge"}}, "UnknownInstanceType", "trn1.32xlarge"),
        ({"hardware": {"instanceType": "inf2.xlarge", "logicalCoreSize": 2}}, "InvalidHardware", "logical core size"),
        ({"policy": {"packing": "tetris"}}, "InvalidPolicy", "tetris"),
        ({"hardware": {}}, "UnknownInstanceType", ""),
    ],
    ids=["instance-type", "logical-core-size", "packing", "empty"],
)
def test_read_puts_a_bad_profile_into_words(spec: dict[str, Any], reason: str, words: str) -> None:
    view = pools.read(manifest(**spec))
    assert (view.hardware, view.problem_reason) == (None, reason)
    assert words in view.problem


@pytest.mark.parametrize(
    ("selector", "labels", "deleted", "selects"),
    [
        ({"neuron": "yes"}, {"neuron": "yes", "zone": "a"}, False, True),
        ({"neuron": "yes", "zone": "b"}, {"neuron": "yes", "zone": "a"}, False, False),
        ({"neuron": "yes"}, {"zone": "a"}, False, False),
        ({}, {"neuron": "yes"}, False, False),
        ({"neuron": "yes"}, {"neuron": "yes"}, True, False),
    ],
    ids=["match", "one-label-differs", "no-label", "empty-selector", "being-deleted"],
)
def test_pool_selects(selector: Mapping[str, str], labels: dict[str, str], *, deleted: bool, selects: bool) -> None:
    assert pool(nodeSelector=selector, deleted=deleted).selects(node(**labels)) is selects


def test_decide_creates_the_neuron_node_of_a_selected_node() -> None:
    (creation,) = decide(pool(), cluster=(node("w1"), node("w2", neuron="no"))).creations
    made = creation.manifest("container")
    assert made["metadata"]["name"] == "w1"
    assert made["metadata"]["labels"] == {pools.POOL_LABEL: "a"}
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-w1"
    assert made["spec"]["hardware"] == TRN1.to_dict()
    assert made["spec"]["coreNumbering"] == "container"


@pytest.mark.parametrize(
    ("known", "cluster"),
    [
        ((pool(hardware={"instanceType": "p5.48xlarge"}),), (node(),)),
        ((pool("a"), pool("b")), (node(),)),
        ((pool("a"), pool("b", hardware={"instanceType": "p5.48xlarge"})), (node(),)),
        ((pool(),), (dataclasses.replace(node(), deleted=True),)),
    ],
    ids=["unknown-type", "two-pools", "two-pools-one-broken", "node-being-deleted"],
)
def test_decide_creates_nothing(known: tuple[pools.PoolView, ...], cluster: tuple[nodes.NodeView, ...]) -> None:
    assert decide(*known, cluster=cluster).creations == []


def test_decide_leaves_a_member_as_it_is_alone() -> None:
    decision = decide(pool(), cluster=(node(),), members=(member(),))
    assert (decision.creations, decision.changes, decision.removals) == ([], [], [])
    assert [each.view.name for each in decision.findings["a"].members] == ["w1"]
    assert not decision.findings["a"].conflicts | decision.findings["a"].pending


def test_decide_names_the_rivals_of_a_node_in_both_pools() -> None:
    decision = decide(pool("a"), pool("b"), cluster=(node(),))
    assert decision.findings["a"].conflicts == decision.findings["b"].conflicts
    assert decision.findings["a"].conflicts["w1"] == "node w1 is selected by a and b: it gets no NeuronCores"


def test_decide_keeps_a_member_with_its_pool_when_a_rival_appears() -> None:
    decision = decide(pool("a"), pool("b", hardware={"instanceType": "inf2.24xlarge"}), cluster=(node(),),
                      members=(member(of="b", instance_type="inf2.24xlarge"),))  # fmt: skip
    assert (decision.changes, decision.removals) == ([], [])
    assert decision.findings["a"].conflicts["w1"] == "node w1 is selected by a and b: it stays with b"


def test_decide_changes_the_hardware_of_an_idle_node() -> None:
    (change,) = decide(pool(), cluster=(node(),), members=(member(instance_type="inf2.24xlarge"),)).changes
    assert change.patch["spec"]["hardware"] == TRN1.to_dict()
    assert change.patch["spec"]["cores"] == 32
    assert change.patch["spec"]["largestFreeRun"] == 32
    assert change.patch["metadata"]["resourceVersion"] == "1"


@pytest.mark.parametrize(
    "busy",
    [
        member(instance_type="inf2.24xlarge", entries=(GRANT,)),
        member(instance_type="inf2.24xlarge", held=[builders.held("0-3")]),
    ],
    ids=["granted", "held-without-grant"],
)
def test_decide_never_changes_hardware_under_a_container(busy: pools.Member) -> None:
    decision = decide(pool(), cluster=(node(),), members=(busy,))
    assert decision.changes == []
    text = "node w1 keeps its present hardware until it is empty: 1 containers have cores"
    assert decision.findings["a"].pending == {"w1": text}


def test_decide_never_changes_a_node_whose_ledger_cannot_be_read() -> None:
    raw = builders.make_neuron_node(instance_type="inf2.24xlarge")
    raw["metadata"]["labels"] = {pools.POOL_LABEL: "a"}
    raw["spec"]["grants"] = [{"pod": "somebody"}]
    decision = decide(pool(), cluster=(node(),), members=(pools.read_member(raw),))
    assert (decision.changes, decision.removals) == ([], [])
    assert "cannot be read" in decision.findings["a"].pending["w1"]


def test_decide_hands_an_idle_node_to_the_pool_that_selects_it_now() -> None:
    other = pool("b", nodeSelector={"kind": "inf2"}, hardware={"instanceType": "inf2.24xlarge"})
    decision = decide(pool("a"), other, cluster=(node(kind="inf2"),), members=(member(of="a"),))
    (change,) = decision.changes
    assert change.patch["metadata"]["labels"] == {pools.POOL_LABEL: "b"}
    assert change.patch["spec"]["hardware"] == INF2.to_dict()
    assert decision.removals == []


def test_decide_hands_over_a_busy_node_only_when_the_hardware_stays_the_same() -> None:
    same = pool("b", nodeSelector={"kind": "b"})
    (change,) = decide(same, cluster=(node(kind="b"),), members=(member(of="a", entries=(GRANT,)),)).changes
    assert "spec" not in change.patch
    assert change.patch["metadata"]["labels"] == {pools.POOL_LABEL: "b"}


@pytest.mark.parametrize(
    ("known", "cluster"),
    [
        ((pool(),), (node(neuron="no"),)),
        ((pool(deleted=True),), (node(),)),
        ((), (node(),)),
        ((pool(),), ()),
        ((pool(),), (dataclasses.replace(node(), uid="another-machine"),)),
    ],
    ids=["label-gone", "pool-being-deleted", "pool-gone", "node-gone", "node-replaced"],
)
def test_decide_removes_an_idle_neuron_node_that_nobody_wants(
    known: tuple[pools.PoolView, ...], cluster: tuple[nodes.NodeView, ...]
) -> None:
    (removal,) = decide(*known, cluster=cluster, members=(member(version="9"),)).removals
    assert (removal.name, removal.resource_version) == ("w1", "9")
    busy = decide(*known, cluster=cluster, members=(member(entries=(GRANT,)),))
    assert busy.removals == []
    assert all("1 containers have cores" in found.pending["w1"] for found in busy.findings.values())


def test_decide_does_not_delete_what_was_made_by_hand() -> None:
    assert decide(cluster=(node(),), members=(member(of=""),)).removals == []


def test_decide_takes_in_a_neuron_node_made_by_hand_when_one_pool_wants_it() -> None:
    (change,) = decide(pool(), cluster=(node(),), members=(member(of=""),)).changes
    assert change.pool == "a"


def test_decide_leaves_a_neuron_node_that_is_being_deleted_alone() -> None:
    going = member(instance_type="inf2.24xlarge")
    going = dataclasses.replace(going, view=dataclasses.replace(going.view, deleted=True))
    decision = decide(pool(), cluster=(node(),), members=(going,))
    assert (decision.changes, decision.removals, decision.creations) == ([], [], [])


def test_policies_follow_the_pool_label() -> None:
    known = {"a": pool("a", policy={"limboSeconds": 5})}
    members = {"w1": member("w1"), "w2": member("w2", of="b"), "w3": member("w3", of="")}
    assert pools.policies(known, members) == {"w1": plans.Policy(limbo_seconds=5.0)}
