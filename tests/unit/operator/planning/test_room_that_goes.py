"""Room that goes may be what a group waits for: its pods then try to be elsewhere, together."""

import dataclasses

import pytest

from kits.manifests import builders, clusters, domain, snapshots
from neuronspan import names
from neuronspan_operator.objects import neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import facts, planner
from neuronspan_operator.planning.choosing import node_choice

TOGETHER = {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"}
NEAR_BIG = clusters.affinity(near=[clusters.term("zone", {"app": "big"})])


def _member(name: str, taken: str = "") -> pools.Member:
    entries = [domain.grant(taken, f"old-{name}-{taken}")] if taken else []
    made = neuron_nodes.read(builders.make_neuron_node(name, entries, instance_type=builders.SMALL))
    return pools.Member(dataclasses.replace(made, resource_version=taken))


def _known() -> facts.Changes:
    """Return a pod of four cores that would best be on w1, and one of its group that must be near and has no room."""
    hosts = {
        name: nodes.read(builders.make_node(name, cores=12, devices=6, labels={"zone": zone}))
        for name, zone in {"w1": "a", "w2": "b"}.items()
    }
    group = [
        builders.make_pod("big", cores=4, annotations=TOGETHER, labels={"app": "big"}),
        builders.make_pod("small", cores=2, annotations=TOGETHER, affinity=NEAR_BIG),
    ]
    found = {pod.uid: pod for pod in map(pods.read, group)}
    return facts.Changes(pods=found, nodes=hosts, members={"w1": _member("w1", "0-7"), "w2": _member("w2")})


@pytest.mark.parametrize("rankings", [1, 32], ids=["forgotten", "remembered"])
def test_group_is_looked_at_again_where_room_went(monkeypatch: pytest.MonkeyPatch, rankings: int) -> None:
    """Also where it is not remembered any more that there was room."""
    monkeypatch.setattr(node_choice, "_RANKINGS", rankings)
    kept = planner.Planner()
    assert kept.plan(_known(), snapshots.NOW).ledgers == ()
    plan = kept.plan(facts.Changes(members={"w1": _member("w1", "0-11")}), snapshots.NOW)
    assert [write.node for write in plan.ledgers] == ["w2"]
    assert plan == planner.plan(kept.facts.snapshot(), snapshots.NOW)


def test_nodes_that_come_and_go_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_choice, "_MOST_CHANGED", 5)
    kept = planner.Planner()
    picky = pods.read(builders.make_pod("picky", cores=4, selector={"zone": "c"}))
    kept.plan(_known()._replace(pods={picky.uid: picky}), snapshots.NOW)
    host = kept.facts.snapshot().nodes["w2"]
    for number in range(30):
        name = f"spot-{number}"
        came = {name: dataclasses.replace(host, name=name)}
        kept.plan(facts.Changes(nodes=came, members={name: _member(name)}), snapshots.NOW)
        kept.plan(facts.Changes(nodes={name: None}, members={name: None}), snapshots.NOW)
        (ranking,) = kept._granting._choice._rankings._values.values()
        assert len(ranking.changed_at) <= 6
