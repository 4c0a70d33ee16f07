"""The guards on every version of Kubernetes: the policies without which RBAC would let too much through."""

import http
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from neuronspan import names, spans
from neuronspan_operator.objects import pod_changes, pods

pytestmark = pytest.mark.integration

GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"0-3"}}'}


@pytest.fixture(scope="module")
def guards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[admission_kit.Admission]:
    """An API server with the guards and nothing else of the chart's policies."""
    with (
        control_plane_kit.running(tmp_path_factory.mktemp("guards")) as plane,
        admission_kit.guarded(plane) as admission,
    ):
        yield admission


@pytest.fixture
def waiting(guards: admission_kit.Admission) -> dict[str, Any]:
    """A pod in the form that requests get at admission."""
    asked = {names.CORES_ANNOTATION: "4", names.ENV_ANNOTATION: "count"}
    pod = admission_kit.pod(asked, admission_kit.container("app", cores=4), schedulerName=names.SCHEDULER)
    pod["metadata"]["labels"] = {names.MANAGED_LABEL: "true"}
    return guards.stored(pod)


def patched(client: api_client.Client, pod: dict[str, Any], change: dict[str, Any], part: str = "") -> str:
    path = f"{admission_kit.path_of(pod)}{part}"
    answer = client.request("PATCH", path, change, api_client.MERGE_PATCH)
    return admission_kit.refusal(answer, answer.status) if answer.status >= http.HTTPStatus.BAD_REQUEST else "stored"


def test_guards_let_the_operators_binding_through(guards: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    bound = pod_changes.binding(pods.read(waiting), "w1", {"app": spans.CoreSpan(0, 4)})
    guards.operator.create(f"{admission_kit.path_of(waiting)}/binding", bound)
    assert guards.admin.get(admission_kit.path_of(waiting))["spec"]["nodeName"] == "w1"


def test_guards_refuse_a_binding_that_forges_a_grant(guards: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    labels = {names.MANAGED_LABEL: "true"}
    forged = admission_kit.binding(waiting["metadata"]["name"], annotations=GRANT, labels=labels)
    answer = guards.admin.request("POST", f"{admission_kit.path_of(waiting)}/binding", forged)
    words = admission_kit.refusal(answer, http.HTTPStatus.FORBIDDEN)
    assert f"a Binding must not carry annotation {names.GRANT_ANNOTATION}: it would be copied" in words


def test_guards_name_what_changed_of_a_request_in_order(
    guards: admission_kit.Admission, waiting: dict[str, Any]
) -> None:
    change = {"metadata": {"annotations": {names.ENV_ANNOTATION: "visible", names.CORES_ANNOTATION: None}}}
    words = patched(guards.admin, waiting, change)
    assert f"annotation {names.CORES_ANNOTATION}, {names.ENV_ANNOTATION} cannot change any more" in words


def test_guards_keep_the_grant_for_the_operator(guards: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    words = patched(guards.admin, waiting, {"metadata": {"annotations": GRANT}})
    assert f"annotation {names.GRANT_ANNOTATION} records which NeuronCores the pod has" in words


def test_guards_hold_the_operator_to_its_conditions(guards: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert patched(guards.operator, waiting, {"status": {"conditions": [scheduled]}}, "/status") == "stored"
    words = patched(guards.operator, waiting, {"status": {"phase": "Failed", "message": "x"}}, "/status")
    assert words.endswith("the operator must not change the message, phase of a pod")


def test_guards_keep_the_ledger_for_the_operator(guards: admission_kit.Admission) -> None:
    answer = guards.admin.request("POST", admission_kit.NEURON_NODES, admission_kit.neuron_node("w1"))
    assert "can only be created by the operator" in admission_kit.refusal(answer, http.HTTPStatus.FORBIDDEN)
    assert guards.operator.create(admission_kit.NEURON_NODES, admission_kit.neuron_node("w1"))
    other = guards.plugin("w2").request(
        "PATCH", f"{admission_kit.NEURON_NODES}/w1/status", {"status": {"epoch": "e"}}, api_client.MERGE_PATCH
    )
    assert "it may write that of its own node only" in other.message
