"""What the API server itself refuses to store, whoever asks: promise 2 does not rest on the operator's care."""

import dataclasses
from typing import Any

import pytest

from kits.world import stand_in

pytestmark = pytest.mark.integration

HARDWARE = {
    "instanceType": "inf2.24xlarge", "devices": 6, "coresPerDevice": 2, "logicalCoreSize": 1,
    "hbmBytesPerCore": 16 << 30, "topology": "ring",
}  # fmt: skip


def grant(first: int, count: int, *, uid: str = "u1", container: str = "app", **other: Any) -> dict[str, Any]:
    return {
        "podUID": uid, "container": container, "namespace": "default", "pod": uid, "first": first, "count": count,
        "resource": "aws.amazon.com/neuroncore", "env": "visible", "state": "Granted",
        "since": "2026-01-31T09:00:00Z", **other,
    }  # fmt: skip


@dataclasses.dataclass
class Node:
    cluster: stand_in.StandIn
    grants: list[dict[str, Any]]

    def write(self, *grants: dict[str, Any], version: str | None = None) -> tuple[int, str]:
        metadata = {} if version is None else {"resourceVersion": version}
        answer = self.cluster.patch_neuron_node("w1", {"metadata": metadata, "spec": {"grants": list(grants)}})
        return answer.status, answer.message


@pytest.fixture
def node(cluster: stand_in.StandIn) -> Node:
    manifest = {
        "apiVersion": "neuronspan.dev/v1alpha1", "kind": "NeuronNode", "metadata": {"name": "w1"},
        "spec": {"hardware": HARDWARE, "cores": 12, "grants": []},
    }  # fmt: skip
    cluster.client.create("/apis/neuronspan.dev/v1alpha1/neuronnodes", manifest)
    return Node(cluster, [])


@pytest.mark.parametrize(
    ("grants", "words"),
    [
        ([grant(0, 4), grant(3, 4, uid="u2")], "two grants share a core"),
        ([grant(0, 12), grant(5, 1, uid="u2")], "two grants share a core"),
        ([grant(4, 4), grant(4, 4, uid="u2")], "two grants share a core"),
        ([grant(0, 2), grant(8, 4, uid="u3"), grant(1, 1, uid="u2")], "two grants share a core"),
        ([grant(8, 5)], "past the node's last core"),
        ([grant(12, 1)], "past the node's last core"),
        ([grant(0, 2), grant(4, 2)], "two grants belong to the same container"),
        ([grant(-1, 2)], "greater than or equal to 0"),
        ([grant(0, 0)], "greater than or equal to 1"),
        ([grant(0, 2, state="Borrowed")], "Unsupported value"),
    ],
    ids=["overlap", "inside", "equal", "unsorted", "past-the-end", "outside", "same-container", "negative", "empty",
         "unknown-state"],
)  # fmt: skip
def test_api_server_refuses_grants(node: Node, grants: list[dict[str, Any]], words: str) -> None:
    status, message = node.write(*grants)
    assert status == 422
    assert words in message
    assert node.cluster.ledger("w1") == []


def test_api_server_stores_neighbours_up_to_the_last_core(node: Node) -> None:
    assert node.write(grant(0, 4), grant(4, 7, uid="u2"), grant(11, 1, uid="u3"))[0] == 200


def test_api_server_lets_the_first_of_two_writers_win(node: Node) -> None:
    version = node.cluster.neuron_node("w1")["metadata"]["resourceVersion"]
    assert node.write(grant(0, 4), version=version)[0] == 200
    assert node.write(grant(4, 4, uid="u2"), version=version)[0] == 409
    assert [each["podUID"] for each in node.cluster.ledger("w1")] == ["u1"]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ([grant(0, 4, state="Confirmed")], [grant(0, 4)], "was Confirmed and cannot become Granted"),
        ([grant(0, 4, state="Releasing")], [grant(0, 4, state="Confirmed")], "was Releasing and cannot become"),
        ([grant(0, 4)], [grant(0, 5)], "size of a grant never changes"),
        ([grant(0, 4, state="Confirmed")], [], "Confirmed grant cannot be dropped"),
    ],
    ids=["back", "revived", "resized", "dropped-while-held"],
)
def test_api_server_refuses_steps_that_a_grants_life_does_not_have(
    node: Node, before: list[dict[str, Any]], after: list[dict[str, Any]], words: str
) -> None:
    assert node.write(*before)[0] == 200
    status, message = node.write(*after)
    assert status == 422
    assert words in message


def test_api_server_refuses_other_hardware_under_a_grant(node: Node) -> None:
    assert node.write(grant(0, 4))[0] == 200
    answer = node.cluster.patch_neuron_node("w1", {"spec": {"hardware": {"devices": 3}, "cores": 6}})
    assert answer.status == 422
    assert "hardware of a node cannot change" in answer.message
