"""Where a guest is at home while its node is gone: what is planned does not depend on when that became known."""

from kits.manifests import builders, domain, snapshots
from neuronspan import names
from neuronspan_operator.objects import neuron_nodes, pods, pools
from neuronspan_operator.planning import facts, planner

GUEST = pods.read(
    builders.make_pod(
        "guest",
        cores=4,
        scheduler="volcano",
        selector={names.HOSTNAME_LABEL: "w3"},
        grant={"node": "w1", "containers": {"app": "0-3"}},
        unscheduled="0/1 nodes are available",
    )
)


def _member(name: str, owner: str = "") -> dict[str, pools.Member | None]:
    entries = [domain.grant("0-3", owner)] if owner else []
    return {name: pools.Member(neuron_nodes.read(builders.make_neuron_node(name, entries)))}


def test_node_of_its_host_name_that_comes_or_goes_as_a_ledger_alone_decides_where_a_guest_belongs() -> None:
    kept = planner.Planner()
    plan = kept.plan(facts.Changes(pods={GUEST.uid: GUEST}, members=_member("w1", "guest")), snapshots.NOW)
    assert plan.ledgers == () or "belongs" not in plan.ledgers[0].why[0]
    for change in (_member("w3"), {"w3": None}):
        plan = kept.plan(facts.Changes(members=change), snapshots.NOW)
        assert plan == planner.plan(kept.facts.snapshot(), snapshots.NOW)
        assert any("belongs to node w3" in why for write in plan.ledgers for why in write.why) is (change["w3"] is not None)
