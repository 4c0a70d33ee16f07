"""What the operator's token can change of a Node: the label that keeps the device plugin where there is a ledger."""

import http
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan_operator.pools import standings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

NODES = "/api/v1/nodes"


@pytest.fixture
def node(admission: admission_kit.Admission) -> Iterator[str]:
    """The path of a node."""
    name = admission.unique("node")
    admission.admin.create(
        NODES, {"metadata": {"name": name, "labels": {"a": "b"}}, "spec": {"podCIDR": "10.9.0.0/24"}}
    )
    yield f"{NODES}/{name}"
    admission.admin.delete(f"{NODES}/{name}")


def test_operator_labels_a_node_and_takes_its_label_away(admission: admission_kit.Admission, node: str) -> None:
    before = admission.admin.get(node)["metadata"]["labels"]
    marked = admission.operator.patch(node, standings.Mark("w1", present=True).patch)
    assert marked["metadata"]["labels"] == {**before, "neuronspan.dev/ledger": "kept"}
    assert admission.operator.patch(node, standings.Mark("w1", present=False).patch)["metadata"]["labels"] == before


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ({"metadata": {"labels": {"a": "c"}}}, "a"),
        ({"metadata": {"labels": {"a": None}}}, "a"),
        ({"metadata": {"labels": {"node-role.kubernetes.io/x": ""}}}, "node-role.kubernetes.io/x"),
        ({"metadata": {"annotations": {"example.com/x": "y"}}}, "annotations"),
        ({"metadata": {"finalizers": ["example.com/x"]}}, "finalizers"),
        ({"spec": {"unschedulable": True}}, "unschedulable"),
        ({"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, "taints"),
    ],
    ids=["label", "label-away", "role", "annotation", "finalizer", "cordon", "taint"],
)
def test_operator_cannot_change_anything_else_of_a_node(
    admission: admission_kit.Admission, node: str, patch: dict[str, Any], what: str
) -> None:
    before = admission.admin.get(node)
    answer = admission.operator.request("PATCH", node, patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    assert admission_kit.words(answer) == f"the operator must not change the {what} of a node"
    assert admission.admin.get(node) == before
