"""NeuronPools through kopf, against a real API server."""

from collections.abc import AsyncIterator

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in
from neuronspan import instance_types
from neuronspan_operator import application

pytestmark = pytest.mark.integration


@pytest.fixture
async def operator(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn
) -> AsyncIterator[application.Application]:
    """A running operator in an empty cluster."""
    async with running_operator.whole(control_plane, "--leader-election=false") as running:
        yield running


async def ready(cluster: stand_in.StandIn, pool: str, *expected: str) -> str:
    """Wait until the pool's condition Ready has this status and reason; gives the message."""
    await running_operator.until(
        lambda: cluster.pool_condition(pool, "Ready")[:2] == expected,
        what=f"{pool} {expected}, now {cluster.pool_condition(pool, 'Ready')}",
    )
    return cluster.pool_condition(pool, "Ready")[2]


def hardware(cluster: stand_in.StandIn, node: str) -> str:
    return str(cluster.neuron_node(node)["spec"]["hardware"]["instanceType"])


async def test_pool_takes_in_nodes_that_come_later_and_lets_go_of_those_that_leave(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    cluster.add_pool("trn1")
    await ready(cluster, "trn1", "True", "NoNodes")
    cluster.add_node("w1")
    cluster.add_node("w2", labels={"neuron": "no"})
    await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"])
    cluster.patch_node("w2", {"metadata": {"labels": {"neuron": "yes"}}})
    await running_operator.until(lambda: cluster.neuron_nodes() == ["w1", "w2"])
    await running_operator.until(lambda: (cluster.pool("trn1") or {})["status"]["cores"] == 64)
    cluster.patch_node("w1", {"metadata": {"labels": {"neuron": None}}})
    await running_operator.until(lambda: cluster.neuron_nodes() == ["w2"])
    await running_operator.until(lambda: (cluster.pool("trn1") or {})["status"]["nodes"] == 1)


async def test_neuron_node_has_no_owner_and_carries_no_mark_of_kopf(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    cluster.add_node("w1")
    cluster.add_pool("trn1")
    await ready(cluster, "trn1", "True", "NodesReady")
    cluster.register_plugin("w1")
    cluster.submit("web", 4)
    await running_operator.until(cluster.bound)
    metadata = cluster.neuron_node("w1")["metadata"]
    assert "ownerReferences" not in metadata
    assert metadata["labels"] == {"neuronspan.dev/pool": "trn1"}
    assert "annotations" not in metadata
    assert "finalizers" not in metadata
    assert "kopf" not in str(cluster.pod("web")["metadata"]["annotations"])


async def test_two_pools_that_select_one_node_say_so_and_nothing_is_switched(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    cluster.add_node("w1")
    cluster.add_pool("first")
    await ready(cluster, "first", "True", "NodesReady")
    cluster.add_pool("second", instance_type="inf2.48xlarge")
    message = await ready(cluster, "second", "False", "OverlappingPools")
    assert message == "node w1 is selected by first and second: it stays with first"
    await ready(cluster, "first", "False", "OverlappingPools")
    assert cluster.pool_condition("first", "Conflict")[0] == "True"
    await running_operator.until(lambda: cluster.events_of("second").get("OverlappingPools") == message)
    assert hardware(cluster, "w1") == "trn1.32xlarge"
    cluster.add_node("w2")
    await running_operator.until(lambda: "w2" in cluster.pool_condition("first", "Ready")[2])
    assert cluster.neuron_nodes() == ["w1"]
    cluster.delete_pool("second")
    await ready(cluster, "first", "True", "NodesReady")
    await running_operator.until(lambda: cluster.neuron_nodes() == ["w1", "w2"])


async def test_profile_changes_only_when_nobody_has_cores(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    for name in ("idle", "busy"):
        cluster.add_node(name)
    cluster.add_pool("pool")
    await running_operator.until(lambda: len(cluster.neuron_nodes()) == 2)
    cluster.register_plugin("busy")
    uid = cluster.submit("web", 4)["metadata"]["uid"]
    await running_operator.until(cluster.bound)
    cluster.patch_pool("pool", {"spec": {"hardware": {"instanceType": "inf2.48xlarge"}}})
    await running_operator.until(lambda: hardware(cluster, "idle") == "inf2.48xlarge")
    message = await ready(cluster, "pool", "False", "NodesInUse")
    assert message == "node busy keeps its present hardware until it is empty: 1 containers have cores"
    assert hardware(cluster, "busy") == "trn1.32xlarge"
    assert cluster.pool_condition("pool", "ProfilePending")[0] == "True"
    cluster.delete_pods(["web"])
    cluster.report_released("busy", [uid])
    await running_operator.until(lambda: hardware(cluster, "busy") == "inf2.48xlarge")
    await ready(cluster, "pool", "True", "NodesReady")
    assert cluster.neuron_node("busy")["spec"]["cores"] == 24


async def test_nodes_of_a_pool_that_detects_get_what_each_of_them_has(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    for name in ("large", "small"):
        cluster.add_node(name, labels={"neuron": "yes", "node.kubernetes.io/instance-type": "c5.large"})
    cluster.add_pool("real", instance_type="detect")
    await ready(cluster, "real", "False", "HardwareUnknown")
    waited = "what node large has is not known: its device plugin has not looked yet"
    await running_operator.until(lambda: waited in cluster.pool_condition("real", "Ready")[2])
    assert cluster.neuron_node("large")["spec"] == {
        "detect": {"instanceType": "c5.large"},
        "coreNumbering": "container",
        "grants": [],
    }
    wrong = {"type": "HardwareAccepted", "status": "False", "reason": "NotDetected", "message": "NoDevices: none"}
    cluster.report("small", conditions=[wrong | {"lastTransitionTime": "2026-01-31T09:00:00Z"}])
    await running_operator.until(lambda: "NoDevices: none" in cluster.pool_condition("real", "Ready")[2])
    cluster.report("large", detected=instance_types.hardware_of("trn1.32xlarge").to_dict())
    cluster.report("small", detected=instance_types.hardware_of("inf2.24xlarge").to_dict())
    assert await ready(cluster, "real", "True", "NodesReady") == "2 nodes"
    assert {name: hardware(cluster, name) for name in ("large", "small")} == {
        "large": "trn1.32xlarge",
        "small": "inf2.24xlarge",
    }
    cluster.register_plugin("large")
    cluster.submit("web", 16)
    await running_operator.until(cluster.bound)
    assert [each["count"] for each in cluster.ledger("large")] == [16]


async def test_deleted_pool_stays_until_its_last_node_is_empty_and_takes_no_new_pods(
    operator: application.Application, cluster: stand_in.StandIn
) -> None:
    cluster.add_node("w1")
    cluster.add_pool("pool")
    await ready(cluster, "pool", "True", "NodesReady")
    cluster.register_plugin("w1")
    uid = cluster.submit("web", 4)["metadata"]["uid"]
    await running_operator.until(cluster.bound)
    cluster.report_held("w1")
    await running_operator.until(lambda: cluster.ledger("w1")[0]["state"] == "Confirmed")
    cluster.delete_pool("pool")
    assert "node w1" in await ready(cluster, "pool", "False", "Draining")
    cluster.submit("late", 4)
    await running_operator.until(lambda: "being deleted" in cluster.waiting_of("late"))
    assert hardware(cluster, "w1") == "trn1.32xlarge"
    cluster.delete_pods(["web", "late"])
    cluster.report_released("w1", [uid])
    await running_operator.until(lambda: cluster.pool("pool") is None, seconds=30)
    assert cluster.neuron_nodes() == []


async def test_unknown_instance_type_is_refused_by_the_api_server_and_explained_by_the_operator(
    operator: application.Application, cluster: stand_in.StandIn, control_plane: control_plane_kit.ControlPlane
) -> None:
    """The operator's own answer is for a catalogue that is older than the CRD: the CRD's list is lifted to see it."""
    pools = "/apis/neuronspan.dev/v1alpha1/neuronpools"
    spec = {"nodeSelector": {"neuron": "yes"}, "hardware": {"instanceType": "p5.48xlarge"}}
    manifest = {
        "apiVersion": "neuronspan.dev/v1alpha1", "kind": "NeuronPool", "metadata": {"name": "odd"}, "spec": spec,
    }  # fmt: skip
    answer = cluster.client.request("POST", pools, manifest)
    assert answer.status == 422
    assert "p5.48xlarge" in answer.message
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/neuronpools.neuronspan.dev"
    crd = cluster.client.get(path)
    field = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/hardware/properties/instanceType/enum"
    cluster.client.patch(path, [{"op": "remove", "path": field}], "application/json-patch+json")
    try:
        await running_operator.until(lambda: cluster.client.request("POST", pools, manifest).status == 201)
        cluster.add_node("w1")
        message = await ready(cluster, "odd", "False", "UnknownInstanceType")
        assert "p5.48xlarge" in message
        assert "trn1.32xlarge" in message
        assert cluster.neuron_nodes() == []
        cluster.delete_pool("odd")
        await running_operator.until(lambda: cluster.pool("odd") is None)
    finally:
        enum = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["hardware"][
            "properties"
        ]["instanceType"]["enum"]
        restored = [{"op": "add", "path": field, "value": enum}]
        cluster.client.patch(path, restored, "application/json-patch+json")
        broken = {**manifest, "metadata": {"name": "odd2"}}
        await running_operator.until(
            lambda: cluster.client.request("POST", pools + "?dryRun=All", broken).status == 422
        )


async def test_restarted_operator_takes_pools_up_again(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn
) -> None:
    cluster.add_pool("pool")
    async with running_operator.whole(control_plane, "--leader-election=false"):
        await ready(cluster, "pool", "True", "NoNodes")
    cluster.add_node("w1")
    cluster.patch_pool("pool", {"spec": {"hardware": {"instanceType": "inf2.48xlarge"}}})
    async with running_operator.whole(control_plane, "--leader-election=false"):
        await ready(cluster, "pool", "True", "NodesReady")
    assert hardware(cluster, "w1") == "inf2.48xlarge"
