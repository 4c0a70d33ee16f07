"""The decision belongs to the operator: grant and label are its own, and a request stays what it was."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan import names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

path = admission_kit.path_of
refusal = admission_kit.refusal
GRANT_STAYS = (
    "annotation neuronspan.dev/grant records which NeuronCores the pod has and is written by the operator alone: "
    "leave it as it is; delete the pod to give its cores back"
)
LABEL_STAYS = "label neuronspan.dev/managed is how the operator finds the pods that have NeuronCores: leave it as it is"
GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"0-3"}}'}


def fixed(*annotations: str) -> str:
    return (
        f"annotation {', '.join(annotations)} cannot change any more: the request for NeuronCores is fixed when the "
        "pod is created; delete the pod and create it anew"
    )


def annotation(name: str, text: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: text}}}


@pytest.mark.parametrize("text", ['{"node":"w2","containers":{"app":"4-7"}}', None], ids=["changed", "removed"])
def test_grant_cannot_be_edited(admission: admission_kit.Admission, granted: dict[str, Any], text: str | None) -> None:
    answer = admission.admin.request(
        "PATCH", path(granted), annotation(names.GRANT_ANNOTATION, text), api_client.MERGE_PATCH
    )
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == GRANT_STAYS
    assert admission.admin.get(path(granted))["metadata"]["annotations"].items() >= GRANT.items()


def test_grant_cannot_be_forged(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    answer = admission.admin.request(
        "PATCH", path(waiting), {"metadata": {"annotations": GRANT}}, api_client.MERGE_PATCH
    )
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == GRANT_STAYS


def test_grant_cannot_be_edited_through_the_status(admission: admission_kit.Admission, granted: dict[str, Any]) -> None:
    """The status subresource of pods stores metadata, too."""
    patch = annotation(names.GRANT_ANNOTATION, "{}")
    answer = admission.admin.request("PATCH", f"{path(granted)}/status", patch, api_client.MERGE_PATCH)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == GRANT_STAYS


@pytest.mark.parametrize("subresource", ["resize", "ephemeralcontainers"])
def test_grant_stays_whatever_else_of_the_pod_is_written(
    admission: admission_kit.Admission, granted: dict[str, Any], subresource: str
) -> None:
    """Other subresources of pods take a whole pod, too, and store only their own part of it."""
    if not admission.plane.serves("v1", f"pods/{subresource}"):
        pytest.skip(f"the API server does not serve pods/{subresource}: Kubernetes 1.33 and newer do")
    patch = annotation(names.GRANT_ANNOTATION, "{}")
    answer = admission.admin.request("PATCH", f"{path(granted)}/{subresource}", patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.OK
    assert admission.admin.get(path(granted))["metadata"]["annotations"].items() >= GRANT.items()


def test_grant_cannot_be_put_on_a_pod_that_never_asked(admission: admission_kit.Admission) -> None:
    stored = admission.stored(admission_kit.pod())
    answer = admission.admin.request(
        "PATCH", path(stored), {"metadata": {"annotations": GRANT}}, api_client.MERGE_PATCH
    )
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == GRANT_STAYS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (names.CORES_ANNOTATION, "8"),
        (names.CORES_ANNOTATION, None),
        (names.ENV_ANNOTATION, "count"),
        ("cores.neuronspan.dev/app", "4"),
        ("devices.neuronspan.dev/app", "1"),
        (names.CONTAINER_ANNOTATION, "other"),
        (names.CONTAINER_ANNOTATION, None),
        ("core.neuronspan.dev/app", "4"),
    ],
    ids=[
        "changed",
        "removed",
        "added",
        "added for a container",
        "added devices",
        "another container",
        "no container",
        "unknown",
    ],
)
def test_request_cannot_change(
    admission: admission_kit.Admission, waiting: dict[str, Any], name: str, text: str | None
) -> None:
    answer = admission.admin.request("PATCH", path(waiting), annotation(name, text), api_client.MERGE_PATCH)
    assert refusal(answer, http.HTTPStatus.UNPROCESSABLE_ENTITY) == fixed(name)


def test_changed_requests_are_named_in_order(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    patch = {"metadata": {"annotations": {names.ENV_ANNOTATION: "count", names.CORES_ANNOTATION: None}}}
    answer = admission.admin.request("PATCH", path(waiting), patch, api_client.MERGE_PATCH)
    expected = fixed(names.CORES_ANNOTATION, names.ENV_ANNOTATION)
    assert refusal(answer, http.HTTPStatus.UNPROCESSABLE_ENTITY) == expected


@pytest.mark.parametrize("text", ["false", None], ids=["changed", "removed"])
def test_label_cannot_change(admission: admission_kit.Admission, waiting: dict[str, Any], text: str | None) -> None:
    patch = {"metadata": {"labels": {names.MANAGED_LABEL: text}}}
    answer = admission.admin.request("PATCH", path(waiting), patch, api_client.MERGE_PATCH)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == LABEL_STAYS


def test_everything_else_of_a_pod_can_change(admission: admission_kit.Admission, granted: dict[str, Any]) -> None:
    patch = {"metadata": {"labels": {"a": "b"}, "annotations": {"example.com/x": "y"}}}
    patched = admission.admin.patch(path(granted), patch)
    assert patched["metadata"]["labels"]["a"] == "b"
    status = {"status": {"phase": "Running"}}
    assert admission.admin.patch(f"{path(granted)}/status", status)["status"]["phase"] == "Running"


def test_waiting_pod_can_be_deleted(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    admission.admin.delete(path(waiting), {"gracePeriodSeconds": 0})
    assert admission.admin.request("GET", path(waiting)).status == http.HTTPStatus.NOT_FOUND
