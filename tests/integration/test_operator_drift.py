"""People and plugins who say something else than the ledger, against a real API server."""

import json
from collections.abc import AsyncIterator

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in

pytestmark = pytest.mark.integration

GRANT = "neuronspan.dev/grant"


@pytest.fixture
async def core(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn
) -> AsyncIterator[running_operator.Core]:
    """A running operator, and node w1 with a registered plugin."""
    cluster.add_node("w1")
    cluster.add_pool("trn1")
    async with running_operator.core(control_plane.kubeconfig) as running:
        await running.keeper.settle()
        cluster.register_plugin("w1")
        yield running


async def start(cluster: stand_in.StandIn, name: str, cores: int = 4) -> str:
    """Bring a pod to running on its cores; gives its UID."""
    uid = str(cluster.submit(name, cores)["metadata"]["uid"])
    await running_operator.until(lambda: cluster.pod(name)["spec"].get("nodeName"))
    cluster.report_held("w1")
    await running_operator.until(
        lambda: {g["podUID"]: g["state"] for g in cluster.ledger("w1")}.get(uid) == "Confirmed"
    )
    return uid


def annotated(cluster: stand_in.StandIn, name: str) -> str:
    return str(json.loads(cluster.pod(name)["metadata"]["annotations"][GRANT])["containers"]["app"])


async def test_hand_edited_grant_annotation_is_corrected_and_told(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    await start(cluster, "web")
    edited = json.dumps({"node": "w1", "containers": {"app": "0-31"}})
    cluster.patch_pod("web", {"metadata": {"annotations": {GRANT: edited}}})
    await running_operator.until(lambda: annotated(cluster, "web") == "0-3")
    await running_operator.until(lambda: "GrantCorrected" in cluster.events_of("web"))
    assert [(grant["first"], grant["count"]) for grant in cluster.ledger("w1")] == [(0, 4)]


async def test_hand_edited_ledger_of_a_running_pod_follows_the_cores_it_holds(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    await start(cluster, "web")
    (grant,) = cluster.ledger("w1")
    cluster.patch_neuron_node("w1", {"spec": {"grants": [{**grant, "first": 8}]}}).expect()
    await running_operator.until(lambda: [grant["first"] for grant in cluster.ledger("w1")] == [0])
    assert core.count("neuronspan_drift_total", kind="MovedGrant") >= 1


async def test_ledger_edited_by_hand_into_an_overlap_is_refused_by_the_api_server(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    await start(cluster, "one")
    await start(cluster, "two")
    grants = cluster.ledger("w1")
    moved = [{**grant, "first": 2} if grant["pod"] == "two" else grant for grant in grants]
    answer = cluster.patch_neuron_node("w1", {"spec": {"grants": moved}})
    assert answer.status == 422
    assert "two grants share a core" in answer.message
    assert cluster.ledger("w1") == grants


async def test_grant_dropped_by_hand_before_the_pod_ran_is_not_given_to_another_pod_unseen(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    """The pod has its node: whoever is granted the same cores later meets it on the node."""
    cluster.submit("web", 4)
    await running_operator.until(cluster.bound)
    cluster.patch_neuron_node("w1", {"spec": {"grants": []}}).expect()
    await running_operator.until(lambda: any(pod.node_name for pod in core.known.snapshot().pods.values()))
    held = {
        "podUID": cluster.pod("web")["metadata"]["uid"], "namespace": "default", "pod": "web", "container": "app",
        "first": 0, "count": 4, "resource": "aws.amazon.com/neuroncore", "processes": True,
    }  # fmt: skip
    cluster.report("w1", held=[held])
    await running_operator.until(lambda: [grant["state"] for grant in cluster.ledger("w1")] == ["Confirmed"])
    await start(cluster, "next")
    assert annotated(cluster, "next") == "4-7"


async def test_cores_of_a_force_deleted_pod_stay_taken_until_its_processes_are_gone(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    cluster.set_allocatable("w1", 32)
    uid = await start(cluster, "old", 30)
    cluster.delete_pods(["old"])
    await running_operator.until(lambda: cluster.ledger("w1")[0]["state"] == "Releasing")
    cluster.submit("new", 20)
    await running_operator.until(lambda: "(NoRoom)" in cluster.waiting_of("new"))
    assert cluster.bound() == []
    cluster.report_released("w1", [uid])
    await running_operator.until(cluster.bound)
    assert annotated(cluster, "new") == "0-19"


async def test_guest_that_its_scheduler_refuses_is_evicted_for_its_controller_and_told_without_one(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    cluster.submit("bare", 4, guest=True)
    cluster.submit("owned", 4, owner="web", guest=True)
    await running_operator.until(lambda: len(cluster.ungated()) == 2)
    cluster.patch_node("w1", {"spec": {"unschedulable": True}})
    for name in ("bare", "owned"):
        cluster.refuse(name, "0/1 nodes are available")
    await running_operator.until(lambda: [pod["metadata"]["name"] for pod in cluster.pods()] == ["bare"])
    await running_operator.until(lambda: "cordoned" in cluster.events_of("bare").get("Limbo", ""))
    await running_operator.until(lambda: "cordoned" in cluster.events_of("owned").get("Evicted", ""))
    await running_operator.until(lambda: {grant["state"] for grant in cluster.ledger("w1")} == {"Releasing"})


async def test_pods_of_many_sizes_fill_a_node_without_a_gap(
    core: running_operator.Core, cluster: stand_in.StandIn
) -> None:
    sizes = [4, 1, 2, 8, 1, 4, 3, 1, 8]
    for index, size in enumerate(sizes):
        cluster.submit(f"pod-{index}", size)
    await running_operator.until(lambda: len(cluster.bound()) == len(sizes))
    taken = sorted(
        core for grant in cluster.ledger("w1") for core in range(grant["first"], grant["first"] + grant["count"])
    )
    assert taken == list(range(32))
    cluster.submit("one-too-many", 1)
    await running_operator.until(lambda: "(NoRoom)" in cluster.waiting_of("one-too-many"))
