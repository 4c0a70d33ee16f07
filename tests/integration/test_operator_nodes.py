"""Nodes that go and come back, against a real API server."""

from collections.abc import AsyncIterator

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in
from neuronspan_operator import application

pytestmark = pytest.mark.integration


@pytest.fixture
async def operator(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn
) -> AsyncIterator[application.Application]:
    """A running operator in an empty cluster."""
    async with running_operator.whole(control_plane, "--leader-election=false") as running:
        yield running


async def lose(cluster: stand_in.StandIn, *, quarantine: int) -> str:
    """Run a pod on cores 0-3 of w1, then delete the Node and, as the API server's garbage collector, the pod.

    Gives the pod's UID.
    """
    cluster.add_node("w1")
    cluster.add_pool("pool", quarantineSeconds=quarantine)
    await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"])
    cluster.register_plugin("w1")
    uid = str(cluster.submit("web", 4)["metadata"]["uid"])
    await running_operator.until(cluster.bound)
    cluster.report_held("w1")
    await running_operator.until(lambda: cluster.ledger("w1")[0]["state"] == "Confirmed")
    cluster.delete_node("w1")
    cluster.delete_pods(["web"])
    return uid


async def test_ledger_of_a_deleted_node_goes_when_its_quarantine_is_over(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    await lose(cluster, quarantine=6)
    await running_operator.until(lambda: cluster.ledger("w1")[0]["state"] == "Releasing")
    stays = "node w1 is gone: its ledger stays for 6 s after its last pod, whose processes may still run"
    await running_operator.until(lambda: cluster.pool_condition("pool", "Ready")[1:] == ("NodesInUse", stays))
    await running_operator.until(lambda: cluster.neuron_nodes() == [])
    await running_operator.until(lambda: cluster.pool_condition("pool", "Ready")[:2] == ("True", "NoNodes"))


async def test_cores_on_a_node_that_comes_back_stay_taken_until_its_plugin_has_looked(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    """A kubelet that registers anew has a new Node object and maybe the old processes."""
    uid = await lose(cluster, quarantine=600)
    await running_operator.until(lambda: cluster.ledger("w1")[0]["state"] == "Releasing")
    cluster.add_node("w1")
    cluster.submit("next", 30)
    await running_operator.until(lambda: "(NoRoom)" in cluster.waiting_of("next"))
    assert [grant["podUID"] for grant in cluster.ledger("w1")] == [uid]
    cluster.report_released("w1", [uid])
    await running_operator.until(cluster.bound)
    assert [(grant["pod"], grant["first"], grant["count"]) for grant in cluster.ledger("w1")] == [("next", 0, 30)]
