"""What the operator's token can change of a pod, line by line; all else is refused, whatever RBAC would let through."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan import names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

NOW = "2026-01-31T09:00:00Z"
GRANT = '{"node":"w1","containers":{"app":"0-3"}}'


def condition(kind: str, value: str = "False") -> dict[str, Any]:
    times = {"lastProbeTime": None, "lastTransitionTime": NOW}
    return {"type": kind, "status": value, "reason": "R", "message": "m", **times}


def conditions(*found: dict[str, Any]) -> dict[str, Any]:
    return {"status": {"conditions": list(found)}}


def status_of(stored: dict[str, Any]) -> str:
    return f"{admission_kit.PODS}/{stored['metadata']['name']}/status"


@pytest.fixture
def waiting(admission: admission_kit.Admission) -> dict[str, Any]:
    """A pod that waits for four cores, with what others have said of it."""
    stored = admission.stored(admission_kit.pod({names.CORES_ANNOTATION: "4", "example.com/x": "y"}))
    said = conditions(condition("example.com/Audited", "True"))
    return admission.admin.patch(status_of(stored), said, api_client.STRATEGIC_PATCH)


ALLOWED: dict[str, dict[str, Any]] = {
    "why it waits": conditions(condition("PodScheduled")),
    "that a grant is taken back": conditions(condition(names.TAKEN_BACK_CONDITION, "True")),
    "both": conditions(condition("PodScheduled"), condition(names.TAKEN_BACK_CONDITION, "True")),
    "which node is kept for it": {"status": {"nominatedNodeName": "w1"}},
    "which cores it has": {"metadata": {"annotations": {names.GRANT_ANNOTATION: GRANT}}},
}


@pytest.mark.parametrize("patch", ALLOWED.values(), ids=ALLOWED)
def test_operator_says(admission: admission_kit.Admission, waiting: dict[str, Any], patch: dict[str, Any]) -> None:
    patched = admission.operator.patch(status_of(waiting), patch, api_client.STRATEGIC_PATCH)
    for said in patch.get("status", {}).get("conditions", ()):
        assert said in patched["status"]["conditions"]
    assert condition("example.com/Audited", "True") in patched["status"]["conditions"]
    assert patched["status"].get("nominatedNodeName") == patch.get("status", {}).get("nominatedNodeName")
    granted = patch.get("metadata", {}).get("annotations", {})
    assert patched["metadata"]["annotations"] == {**waiting["metadata"]["annotations"], **granted}


def of_a_pod(what: str) -> str:
    return f"the operator must not change the {what} of a pod"


def annotation(name: str) -> str:
    return f"the operator must not change annotation {name} of a pod: the grant is the only one that it writes"


RUNNING = {"name": "app", "image": "x", "imageID": "x", "ready": True, "restartCount": 0}
FORBIDDEN: dict[str, tuple[dict[str, Any], str]] = {
    "label": ({"metadata": {"labels": {"a": "b"}}}, of_a_pod("labels")),
    "our label": ({"metadata": {"labels": {names.MANAGED_LABEL: None}}}, of_a_pod("labels")),
    "finalizer": ({"metadata": {"finalizers": ["example.com/f"]}}, of_a_pod("finalizers")),
    "request": ({"metadata": {"annotations": {names.CORES_ANNOTATION: "8"}}}, annotation(names.CORES_ANNOTATION)),
    "container": (
        {"metadata": {"annotations": {names.CONTAINER_ANNOTATION: "b"}}},
        annotation(names.CONTAINER_ANNOTATION),
    ),
    "annotation of others": ({"metadata": {"annotations": {"example.com/x": "z"}}}, annotation("example.com/x")),
    "annotation taken away": ({"metadata": {"annotations": {"example.com/x": None}}}, annotation("example.com/x")),
    "phase": ({"status": {"phase": "Succeeded"}}, of_a_pod("phase")),
    "reason": ({"status": {"reason": "Evicted"}}, of_a_pod("reason")),
    "message": ({"status": {"message": "m"}}, of_a_pod("message")),
    "address of its node": ({"status": {"hostIP": "10.0.0.1"}}, of_a_pod("hostIP")),
    "address": ({"status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}}, of_a_pod("podIP, podIPs")),
    "start": ({"status": {"startTime": NOW}}, of_a_pod("startTime")),
    "state of a container": ({"status": {"containerStatuses": [RUNNING]}}, of_a_pod("containerStatuses")),
    "readiness": (conditions(condition("Ready", "True")), "the operator must not change condition Ready of a pod"),
    "disruption": (
        conditions(condition("DisruptionTarget", "True")),
        "the operator must not change condition DisruptionTarget of a pod",
    ),
    "condition of others": (
        conditions(condition("example.com/Audited", "False")),
        "the operator must not change condition example.com/Audited of a pod",
    ),
    "condition taken away": (
        conditions({"$patch": "delete", "type": "example.com/Audited"}),
        "the operator must not change condition example.com/Audited of a pod",
    ),
    "that it is scheduled": (
        conditions(condition("PodScheduled", "True")),
        "the operator says that a pod is not scheduled; that it is, the API server says when it is bound",
    ),
}


@pytest.mark.parametrize(("patch", "sentence"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_operator_cannot_change(
    admission: admission_kit.Admission, waiting: dict[str, Any], patch: dict[str, Any], sentence: str
) -> None:
    answer = admission.operator.request("PATCH", status_of(waiting), patch, api_client.STRATEGIC_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    assert admission_kit.words(answer) == sentence
    left = admission.admin.get(status_of(waiting).removesuffix("/status"))
    assert left["metadata"]["resourceVersion"] == waiting["metadata"]["resourceVersion"]


OWNER = {"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": "1"}


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"containers": [{"name": "app", "image": "evil"}]}},
        {"spec": {"nodeName": "w1"}},
        {"metadata": {"ownerReferences": [OWNER]}},
    ],
    ids=["image", "node", "owner"],
)
def test_what_a_status_does_not_store_stays(
    admission: admission_kit.Admission, waiting: dict[str, Any], patch: dict[str, Any]
) -> None:
    """The API server takes the spec and the owners from the stored pod before anybody is asked."""
    patched = admission.operator.patch(status_of(waiting), patch, api_client.STRATEGIC_PATCH)
    assert patched["spec"] == waiting["spec"]
    assert "ownerReferences" not in patched["metadata"]


@pytest.mark.parametrize("door", ["", "/ephemeralcontainers", "/resize"])
def test_operator_has_no_other_door_to_a_pod(
    admission: admission_kit.Admission, waiting: dict[str, Any], door: str
) -> None:
    path = status_of(waiting).removesuffix("/status") + door
    patch = {"metadata": {"labels": {"a": "b"}}}
    answer = admission.operator.request("PATCH", path, patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN
    assert "cannot patch" in answer.message
