"""Where a guest is at home whose node is known by its ledger alone, whenever that became known."""

import dataclasses

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import names
from neuronspan_operator.objects import neuron_nodes, nodes, pods, pools
from neuronspan_operator.planning import facts, planner

GUEST = pods.read(
    builders.make_pod(
        "guest",
        cores=4,
        scheduler="volcano",
        selector={names.HOSTNAME_LABEL: "w3"},
        grant={"node": "w1", "containers": {"app": "0-3"}},
    )
)


def _member(name: str, owner: str = "") -> dict[str, pools.Member | None]:
    entries = [domain.grant("0-3", owner)] if owner else []
    return {name: pools.Member(neuron_nodes.read(builders.make_neuron_node(name, entries)))}


@pytest.mark.parametrize("deleted", [pytest.param(False, id="wanted"), pytest.param(True, id="deleted")])
def test_ledger_of_its_host_name_that_comes_or_goes_decides_where_a_guest_belongs(*, deleted: bool) -> None:
    kept = planner.Planner()
    host = {"w1": nodes.read(builders.make_node("w1"))}
    guest = dataclasses.replace(GUEST, deleted=deleted)
    known = facts.Changes(pods={guest.uid: guest}, nodes=host, members=_member("w1", "guest"))
    assert kept.plan(known, snapshots.NOW).ledgers == ()
    released = []
    for member in (_member("w3"), {"w3": None}):
        plan = kept.plan(facts.Changes(members=member), snapshots.NOW)
        assert plan == planner.plan(kept.facts.snapshot(), snapshots.NOW)
        released.append([why for write in plan.ledgers for why in write.why])
    assert released == [["default/guest[app] 0-3 is released: the pod belongs to node w3"], []]
