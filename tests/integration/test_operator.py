"""The whole operator against a real API server: from a NeuronPool to cores that are free again."""

import json

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.world import running_operator, stand_in

pytestmark = pytest.mark.integration


async def test_operator_takes_a_pod_from_its_creation_to_its_release(
    control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn
) -> None:
    cluster.add_node("w1")
    cluster.add_pool("trn1")
    async with running_operator.whole(control_plane) as operator:
        await running_operator.until(lambda: cluster.neuron_nodes() == ["w1"])
        cluster.register_plugin("w1")
        uid = cluster.submit("train", 4)["metadata"]["uid"]
        await running_operator.until(cluster.bound)
        pod = cluster.pod("train")
        assert json.loads(pod["metadata"]["annotations"]["neuronspan.dev/grant"]) == {
            "node": "w1",
            "containers": {"app": "0-3"},
        }
        assert pod["spec"]["nodeName"] == "w1"
        cluster.report_held("w1")
        await running_operator.until(lambda: [grant["state"] for grant in cluster.ledger("w1")] == ["Confirmed"])
        cluster.delete_pods(["train"])
        await running_operator.until(lambda: [grant["state"] for grant in cluster.ledger("w1")] == ["Releasing"])
        cluster.report_released("w1", [uid])
        await running_operator.until(lambda: cluster.ledger("w1") == [])
        spec = cluster.neuron_node("w1")["spec"]
        assert (spec["granted"], spec["free"], spec["largestFreeRun"]) == (0, 32, 32)
        told = "Successfully assigned default/train to w1: NeuronCores app 0-3"
        assert told in cluster.events_of("train")["Scheduled"]
        assert operator.meters.registry.get_sample_value("neuronspan_leader") == 1
