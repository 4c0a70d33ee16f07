import dataclasses
from typing import Any

import pytest

from kits.manifests import builders
from neuronspan import names
from neuronspan_operator.objects import nodes


def test_node_is_read() -> None:
    taint = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
    node = nodes.read(builders.make_node("w1", cpu="1500m", memory="2Gi", pods=7, taints=[taint], hostname="host-1"))
    assert (node.name, node.hostname, node.ready, node.unschedulable) == ("w1", "host-1", True, False)
    assert node.allocatable == {
        "cpu": 1500,
        "memory": 2 << 30,
        "pods": 7,
        names.CORE_RESOURCE: 32,
        names.DEVICE_RESOURCE: 16,
    }
    assert [str(each) for each in node.taints] == ["dedicated=ml:NoSchedule"]


def test_node_without_status_is_read_as_not_ready() -> None:
    node = nodes.read({"metadata": {"name": "w1"}})
    assert (node.ready, node.allocatable, node.hostname) == (False, {}, "w1")


def test_features_that_the_kubelet_declares_are_read() -> None:
    manifest = builders.make_node()
    manifest["status"]["declaredFeatures"] = ["A", "B"]
    assert nodes.read(manifest).features == {"A", "B"}


@pytest.mark.parametrize("node", [{}, {"cordoned": True}], ids=["ready", "cordoned, which some pods tolerate"])
def test_node_that_serves_cores_is_available(node: dict[str, Any]) -> None:
    assert nodes.unavailable(nodes.read(builders.make_node(**node))) is None


def test_node_of_a_pool_in_deletion_is_unavailable() -> None:
    node = dataclasses.replace(nodes.read(builders.make_node()), draining=True)
    assert nodes.unavailable(node) == "of a NeuronPool that is being deleted"


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"ready": False}, "not Ready"),
        ({"deleted": True}, "being deleted"),
        ({"cores": 0}, "is the device plugin running?"),
    ],
)
def test_unavailable_node_says_why(node: dict[str, Any], words: str) -> None:
    assert words in (nodes.unavailable(nodes.read(builders.make_node(**node))) or "")
