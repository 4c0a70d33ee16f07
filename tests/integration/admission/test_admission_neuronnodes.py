"""A ledger is written by the operator, a status by the plugin of that very node, and both can be deleted by admins."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

NODES = admission_kit.NEURON_NODES
GRANT = {
    "podUID": "11111111-2222-3333-4444-555555555555",
    "namespace": "default",
    "pod": "p",
    "container": "app",
    "first": 0,
    "count": 4,
    "resource": admission_kit.CORES,
    "state": "Granted",
}
STATUS = {"status": {"epoch": "1"}}


@pytest.fixture
def node(admission: admission_kit.Admission) -> str:
    """A NeuronNode that the operator has made."""
    name = admission.unique("node")
    admission.operator.create(NODES, admission_kit.neuron_node(name))
    return name


def refusal(answer: api_client.Response) -> str:
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    return admission_kit.words(answer)


def test_operator_writes_the_ledger(admission: admission_kit.Admission, node: str) -> None:
    patched = admission.operator.patch(f"{NODES}/{node}", {"spec": {"grants": [GRANT]}})
    assert patched["spec"]["grants"][0]["first"] == 0


def test_nobody_else_makes_a_ledger(admission: admission_kit.Admission) -> None:
    answer = admission.admin.request("POST", NODES, admission_kit.neuron_node("mine"))
    assert refusal(answer) == (
        f'NeuronNode "mine" can only be created by the operator ({chart.OPERATOR}), which makes one for every node of '
        "a NeuronPool: label the node as the pool says"
    )


def test_nobody_else_writes_the_ledger(admission: admission_kit.Admission, node: str) -> None:
    answer = admission.admin.request("PATCH", f"{NODES}/{node}", {"spec": {"grants": [GRANT]}}, api_client.MERGE_PATCH)
    assert refusal(answer) == (
        f'spec of NeuronNode "{node}" is the ledger of its NeuronCores and is written by the operator alone '
        f"({chart.OPERATOR}): to free cores delete the pod that has them; to change the hardware edit the NeuronPool"
    )
    assert admission.admin.get(f"{NODES}/{node}")["spec"]["grants"] == []


def test_admins_may_label_and_delete_a_ledger(admission: admission_kit.Admission, node: str) -> None:
    patched = admission.admin.patch(f"{NODES}/{node}", {"metadata": {"labels": {"a": "b"}}})
    assert patched["metadata"]["labels"] == {"a": "b"}
    admission.admin.delete(f"{NODES}/{node}")
    assert admission.admin.request("GET", f"{NODES}/{node}").status == http.HTTPStatus.NOT_FOUND


def test_plugin_writes_the_status_of_its_own_node(admission: admission_kit.Admission, node: str) -> None:
    patched = admission.plugin(node).patch(f"{NODES}/{node}/status", STATUS)
    assert patched["status"]["epoch"] == "1"


def test_plugin_cannot_write_the_status_of_another_node(admission: admission_kit.Admission, node: str) -> None:
    answer = admission.plugin("w9").request("PATCH", f"{NODES}/{node}/status", STATUS, api_client.MERGE_PATCH)
    assert refusal(answer) == (
        f'the device plugin on node "w9" may not write the status of NeuronNode "{node}": it may write that of its own '
        "node only"
    )


def test_plugins_account_without_a_node_writes_no_status(admission: admission_kit.Admission, node: str) -> None:
    """A token that was not issued for a pod on a node, for example by `kubectl create token`."""
    whom = api_client.Impersonation(chart.DEVICE_PLUGIN, ("system:authenticated",))
    client = admission.plane.client(impersonation=whom)
    answer = client.request("PATCH", f"{NODES}/{node}/status", STATUS, api_client.MERGE_PATCH)
    assert refusal(answer).startswith('the device plugin on node "" may not write')


def test_admin_cannot_write_a_status(admission: admission_kit.Admission, node: str) -> None:
    answer = admission.admin.request("PATCH", f"{NODES}/{node}/status", STATUS, api_client.MERGE_PATCH)
    assert refusal(answer) == (
        f'status of NeuronNode "{node}" is what its node sees and is written by the device plugin on that node alone '
        f"({chart.DEVICE_PLUGIN})"
    )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/apis/neuronspan.dev/v1alpha1/neuronnodes/{node}", {"spec": {"granted": 1}}),
        ("PATCH", "/apis/neuronspan.dev/v1alpha1/neuronnodes/{node}", {"metadata": {"labels": {"a": "b"}}}),
        ("POST", "/apis/neuronspan.dev/v1alpha1/neuronnodes", admission_kit.neuron_node("mine")),
        ("DELETE", "/apis/neuronspan.dev/v1alpha1/neuronnodes/{node}", None),
        ("GET", "/api/v1/pods", None),
        ("GET", "/api/v1/namespaces/default/pods", None),
        ("POST", "/api/v1/namespaces/default/events", {"metadata": {"name": "e"}}),
        ("GET", "/api/v1/nodes", None),
        ("GET", "/api/v1/namespaces/neuronspan/secrets", None),
    ],
    ids=["ledger", "metadata", "create", "delete", "all pods", "pods", "events", "nodes", "secrets"],
)
def test_plugin_may_do_nothing_else(
    admission: admission_kit.Admission, node: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = admission.plugin(node).request(method, path.format(node=node), body, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    assert "cannot" in answer.message


def test_plugins_rights_on_ledgers_would_not_help(admission: admission_kit.Admission, node: str) -> None:
    """Even a plugin that an admin gave more rights writes no ledger: the policy knows it by name."""
    group = "system:masters"
    whom = api_client.Impersonation(chart.DEVICE_PLUGIN, (group,), {"authentication.kubernetes.io/node-name": node})
    client = admission.plane.client(impersonation=whom)
    answer = client.request("PATCH", f"{NODES}/{node}", {"metadata": {"labels": {"a": "b"}}}, api_client.MERGE_PATCH)
    assert refusal(answer) == (f'the device plugin may write the status of NeuronNode "{node}" and nothing else of it')


def test_operator_has_no_right_on_a_status(admission: admission_kit.Admission, node: str) -> None:
    answer = admission.operator.request("PATCH", f"{NODES}/{node}/status", STATUS, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN
    assert "cannot patch resource" in answer.message


def test_token_of_a_plugins_pod_carries_its_node(admission: admission_kit.Admission) -> None:
    """Not by impersonation: the token as kubelet asks for it, so that the node's name is the API server's own word."""
    own, other = admission.unique("node"), admission.unique("node")
    for name in (own, other):
        admission.admin.create("/api/v1/nodes", {"metadata": {"name": name}})
        admission.operator.create(NODES, admission_kit.neuron_node(name))
    account = chart.DEVICE_PLUGIN.rpartition(":")[2]
    manifest = admission_kit.pod(name=own, nodeName=own, serviceAccountName=account)
    running = admission.admin.create(f"/api/v1/namespaces/{chart.NAMESPACE}/pods", manifest)
    bound = {"kind": "Pod", "apiVersion": "v1", "name": own, "uid": running["metadata"]["uid"]}
    issued = admission.admin.create(
        f"/api/v1/namespaces/{chart.NAMESPACE}/serviceaccounts/{account}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": bound}},
    )
    plugin = admission.plane.client(token=issued["status"]["token"])
    assert plugin.patch(f"{NODES}/{own}/status", STATUS)["status"]["epoch"] == "1"
    answer = plugin.request("PATCH", f"{NODES}/{other}/status", STATUS, api_client.MERGE_PATCH)
    assert refusal(answer).startswith(f'the device plugin on node "{own}" may not write')
