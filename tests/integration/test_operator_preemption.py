"""Pods end for others on a real API server: cores are never shared on the way, and nobody ends in vain."""

import asyncio
import functools

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in

pytestmark = pytest.mark.integration

NODES = "w1", "w2"
FIRST = "system-cluster-critical"
"""A class that every API server has."""
MANY_ROUNDS = 200
"""Of both operators; about twenty are needed."""


@pytest.fixture
async def full(control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn) -> list[str]:
    """Two nodes, each with four pods of eight cores that hold them."""
    for name in NODES:
        cluster.add_node(name)
    cluster.add_pool("trn1")
    async with running_operator.core(control_plane.kubeconfig, running=False) as setup:
        await setup.keeper.settle()
    for name in NODES:
        cluster.register_plugin(name)
    low = [f"low-{index}" for index in range(8)]
    for name in low:
        cluster.submit(name, 8)
    async with running_operator.core(control_plane.kubeconfig):
        await running_operator.until(lambda: len(cluster.bound()) == len(low))
        for name in NODES:
            cluster.report_held(name)
        await running_operator.until(lambda: _states(cluster) == {"Confirmed"})
    return low


def _states(cluster: stand_in.StandIn) -> set[str]:
    return {grant["state"] for name in NODES for grant in cluster.ledger(name)}


def _owned(cluster: stand_in.StandIn) -> list[tuple[str, int]]:
    """Return every granted core, as often as it is granted."""
    return [
        (name, core)
        for name in NODES
        for grant in cluster.ledger(name)
        for core in range(grant["first"], grant["first"] + grant["count"])
    ]


def _rounds(racers: list[running_operator.Core]) -> float:
    return sum(each.count("neuronspan_reconciles_total", outcome="done") for each in racers)


def _play_kubelets(cluster: stand_in.StandIn) -> None:
    """End the pods that are being deleted, and report that nothing of them is left."""
    cluster.delete_pods([pod["metadata"]["name"] for pod in cluster.pods() if "deletionTimestamp" in pod["metadata"]])
    for name in NODES:
        over = [grant["podUID"] for grant in cluster.ledger(name) if grant["state"] == "Releasing"]
        if over:
            cluster.report_released(name, over)


async def test_two_operators_that_both_preempt_end_no_more_than_needed_and_share_no_core(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn, full: list[str]
) -> None:
    high = {f"high-{index}" for index in range(3)}

    def are_bound() -> bool:
        _play_kubelets(cluster)
        return high <= {pod["metadata"]["name"] for pod in cluster.bound()}

    async with (
        running_operator.core(control_plane.kubeconfig) as one,
        running_operator.core(control_plane.kubeconfig) as two,
    ):
        for name in sorted(high):
            await asyncio.to_thread(functools.partial(cluster.submit, name, 16, priorityClassName=FIRST))
        await running_operator.until(are_bound)
        assert _rounds([one, two]) < MANY_ROUNDS, "a round brings about the next one"
    owned = _owned(cluster)
    assert len(owned) == len(set(owned))
    assert len({pod["metadata"]["name"] for pod in cluster.pods()}.intersection(full)) == 2
