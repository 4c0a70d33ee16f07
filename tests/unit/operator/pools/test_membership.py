"""Which node belongs to which pool, decided from values."""

import dataclasses
import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain, pool_views
from neuronspan import grants, instance_types
from neuronspan_operator.objects import neuron_nodes, nodes, pools
from neuronspan_operator.pools import membership, standings

NOW = dt.datetime(2026, 1, 31, 10, 0, tzinfo=dt.UTC)
TRN1 = instance_types.hardware_of("trn1.32xlarge")
INF2 = instance_types.hardware_of("inf2.24xlarge")
GRANT = domain.grant("0-3")
GONE = "node w1 is gone: "

pool, node, member = pool_views.pool, pool_views.node, pool_views.member


def decide(
    *known: pools.PoolView,
    cluster: tuple[nodes.NodeView, ...] = (),
    members: tuple[pools.Member, ...] = (),
    now: dt.datetime = NOW,
) -> membership.Decision:
    return membership.decide(
        {each.name: each for each in known},
        {each.name: each for each in cluster},
        {each.view.name: each for each in members},
        now,
    )


def tombstone(seconds: float, cores: str = "0-3", pod: str = "web") -> grants.Grant:
    """A grant that was released so long ago."""
    since = (NOW - dt.timedelta(seconds=seconds)).isoformat()
    return domain.grant(cores, pod, state=grants.GrantState.RELEASING, since=since)


def unreadable(**other: Any) -> pools.Member:
    """A NeuronNode whose ledger makes no sense."""
    raw = builders.make_neuron_node(**other)
    raw["metadata"]["labels"] = {pools.POOL_LABEL: "a"}
    raw["spec"]["grants"] = [{"pod": "somebody"}]
    return pools.read_member(raw)


def test_decide_creates_the_neuron_node_of_a_selected_node() -> None:
    (creation,) = decide(pool(), cluster=(node("w1"), node("w2", neuron="no"))).creations
    made = creation.manifest("container")
    assert made["metadata"]["name"] == "w1"
    assert made["metadata"]["labels"] == {pools.POOL_LABEL: "a"}
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
    assert list(decision.findings["a"].members) == ["w1"]
    assert not decision.findings["a"].conflicts
    assert not decision.findings["a"].pending


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
    assert change.patch("node")["spec"]["hardware"] == TRN1.to_dict()
    assert change.patch("node")["spec"]["cores"] == 32
    assert change.patch("node")["spec"]["largestFreeRun"] == 32
    assert change.patch("node")["metadata"]["resourceVersion"] == "1"


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
    decision = decide(pool(), cluster=(node(),), members=(unreadable(instance_type="inf2.24xlarge"),))
    assert (decision.changes, decision.removals) == ([], [])
    text = decision.findings["a"].pending["w1"]
    assert "cannot be read" in text
    assert text.endswith("repair it, or delete NeuronNode w1")


def test_decide_hands_an_idle_node_to_the_pool_that_selects_it_now() -> None:
    other = pool("b", nodeSelector={"kind": "inf2"}, hardware={"instanceType": "inf2.24xlarge"})
    decision = decide(pool("a"), other, cluster=(node(kind="inf2"),), members=(member(of="a"),))
    (change,) = decision.changes
    assert change.patch("node")["metadata"]["labels"] == {pools.POOL_LABEL: "b"}
    assert change.patch("node")["spec"]["hardware"] == INF2.to_dict()
    assert decision.removals == []


def test_decide_hands_over_a_busy_node_only_when_the_hardware_stays_the_same() -> None:
    same = pool("b", nodeSelector={"kind": "b"})
    (change,) = decide(same, cluster=(node(kind="b"),), members=(member(of="a", entries=(GRANT,)),)).changes
    assert "spec" not in change.patch("node")
    assert change.patch("node")["metadata"]["labels"] == {pools.POOL_LABEL: "b"}


@pytest.mark.parametrize(
    ("known", "cluster"),
    [
        ((pool(),), (node(neuron="no"),)),
        ((pool(deleted=True),), (node(),)),
        ((), (node(),)),
    ],
    ids=["label-gone", "pool-being-deleted", "pool-gone"],
)
def test_decide_removes_an_idle_neuron_node_that_nobody_wants(
    known: tuple[pools.PoolView, ...], cluster: tuple[nodes.NodeView, ...]
) -> None:
    (removal,) = decide(*known, cluster=cluster, members=(member(version="9"),)).removals
    assert (removal.name, removal.resource_version) == ("w1", "9")
    busy = decide(*known, cluster=cluster, members=(member(entries=(GRANT,)),))
    assert busy.removals == []
    assert all("1 containers have cores" in found.pending["w1"] for found in busy.findings.values())


@pytest.mark.parametrize("cluster", [(node(),), ()], ids=["node there", "node gone"])
def test_decide_does_not_delete_what_was_made_by_hand(cluster: tuple[nodes.NodeView, ...]) -> None:
    assert decide(cluster=cluster, members=(member(of=""),)).removals == []


def test_decide_takes_in_a_neuron_node_made_by_hand_when_one_pool_wants_it() -> None:
    (change,) = decide(pool(), cluster=(node(),), members=(member(of=""),)).changes
    assert change.pool == "a"


def test_decide_leaves_a_neuron_node_that_is_being_deleted_alone() -> None:
    going = member(instance_type="inf2.24xlarge")
    going = dataclasses.replace(going, view=dataclasses.replace(going.view, deleted=True))
    decision = decide(pool(), cluster=(node(),), members=(going,))
    assert (decision.changes, decision.removals, decision.creations) == ([], [], [])


# --- nodes that are gone ---------------------------------------------------------------------------------------------


def test_decide_keeps_the_ledger_of_a_gone_node_while_a_pod_has_cores_there() -> None:
    decision = decide(
        pool(policy={"quarantineSeconds": 0}), members=(member(entries=(GRANT, tombstone(900, "8-9", "b"))),)
    )
    assert (decision.removals, decision.wake_at) == ([], None)
    pending = "its ledger stays until its pods are gone, too: 2 containers have cores"
    assert decision.findings["a"].pending == {"w1": GONE + pending}


@pytest.mark.parametrize(("age", "removed"), [(59, False), (60, True)])
def test_decide_gives_the_ledger_of_a_gone_node_up_with_its_last_quarantine(age: float, *, removed: bool) -> None:
    busy = member(entries=(tombstone(900, "8-9", "b"), tombstone(age)), version="9")
    decision = decide(pool(policy={"quarantineSeconds": 60}), members=(busy,))
    assert decision.removals == ([standings.Removal("w1", "9")] if removed else [])
    assert decision.wake_at == (None if removed else NOW + dt.timedelta(seconds=1))
    pending = "its ledger stays for 60 s after its last pod, whose processes may still run"
    assert decision.findings["a"].pending == ({} if removed else {"w1": GONE + pending})


def test_decide_wakes_up_for_the_first_quarantine_that_ends() -> None:
    later, sooner, last = (member(f"w{index}", entries=(tombstone(age),)) for index, age in enumerate((10, 200, 30)))
    by_hand = member("w3", of="", entries=(tombstone(250),))
    decision = decide(pool(), members=(later, sooner, last, by_hand))
    assert decision.wake_at == NOW + dt.timedelta(seconds=100)


def test_decide_waits_the_default_quarantine_for_a_node_of_a_pool_that_is_gone() -> None:
    assert decide(members=(member(entries=(tombstone(299),)),)).removals == []
    assert decide(members=(member(entries=(tombstone(300),)),)).removals == [standings.Removal("w1", "1")]


def test_decide_removes_the_empty_ledger_of_a_gone_node_whatever_its_plugin_said_last() -> None:
    """Nobody will ever report again; the next Node of that name is served after its own plugin has looked."""
    last = member(held=[builders.held("0-3")])
    assert decide(pool(), members=(last,)).removals == [standings.Removal("w1", "1")]


def test_decide_keeps_a_ledger_of_a_gone_node_that_cannot_be_read() -> None:
    decision = decide(pool(), members=(unreadable(),))
    assert decision.removals == []
    assert decision.findings["a"].pending["w1"].endswith("repair it, or delete NeuronNode w1")


def test_decide_keeps_the_ledger_for_the_next_node_of_its_name() -> None:
    anew = nodes.read(builders.make_node(labels={"neuron": "yes"}, uid="uid-registered-anew"))
    decision = decide(pool(), cluster=(anew,), members=(member(entries=(GRANT, tombstone(9000, "8-9", "b"))),))
    assert (decision.creations, decision.changes, decision.removals) == ([], [], [])
    assert decision.findings["a"].pending == {}


def test_decide_takes_the_owner_off_that_older_versions_gave() -> None:
    """With an owner the ledger would go together with the Node."""
    older = member(entries=(GRANT,), version="9")
    older = dataclasses.replace(older, view=dataclasses.replace(older.view, owned=True))
    (change,) = decide(pool(), cluster=(node(),), members=(older,)).changes
    metadata = {"resourceVersion": "9", "labels": {pools.POOL_LABEL: "a"}, "ownerReferences": None}
    assert change.patch("node") == {"metadata": metadata}


def test_owner_is_read_off_the_manifest() -> None:
    raw = builders.make_neuron_node()
    assert not neuron_nodes.read(raw).owned
    raw["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": "uid-w1"}]
    assert neuron_nodes.read(raw).owned


def marked(present: bool) -> nodes.NodeView:
    found = node()
    labels = {**found.labels, "neuronspan.dev/ledger": "kept"} if present else found.labels
    return dataclasses.replace(found, labels=labels)


@pytest.mark.parametrize(
    ("known", "label", "members", "mark"),
    [
        ((pool(),), False, (member(),), True),
        ((pool(),), True, (member(),), None),
        ((), False, (member(entries=(GRANT,)),), True),
        ((), True, (member(entries=(GRANT,)),), None),
        ((pool(),), False, (member(of=""),), True),
        ((), True, (), False),
        ((), False, (), None),
    ],
    ids=[
        "member", "member-marked", "left-its-pool-with-a-grant", "left-its-pool-marked", "made-by-hand",
        "ledger-is-gone", "never-had-one",
    ],
)  # fmt: skip
def test_decide_labels_exactly_the_nodes_that_have_a_ledger(
    known: tuple[pools.PoolView, ...], label: bool, members: tuple[pools.Member, ...], mark: bool | None
) -> None:
    """The device plugin's place: without it no core of a node that left its pool is ever proven free."""
    decision = decide(*known, cluster=(marked(label),), members=members)
    assert decision.marks == ([] if mark is None else [standings.Mark("w1", mark)])


def test_decide_does_not_label_a_node_that_is_gone() -> None:
    assert decide(pool(), members=(member(entries=(GRANT,)),)).marks == []
