"""The decision belongs to the operator: grant and label are its own, and a request stays what it was."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan import names, spans
from neuronspan_operator.objects import pods

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

GRANT_STAYS = (
    "annotation neuronspan.dev/grant records which NeuronCores the pod has and is written by the operator alone: "
    "leave it as it is; delete the pod to give its cores back"
)
LABEL_STAYS = "label neuronspan.dev/managed is how the operator finds the pods that have NeuronCores: leave it as it is"
BINDINGS = "/api/v1/namespaces/default/bindings"
SPANS = {"app": spans.CoreSpan(0, 4)}
GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"0-3"}}'}


def fixed(*annotations: str) -> str:
    return (
        f"annotation {', '.join(annotations)} cannot change any more: the request for NeuronCores is fixed when the "
        "pod is created; delete the pod and create it anew"
    )


def annotation(name: str, text: str | None) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: text}}}


@pytest.fixture
def waiting(admission: admission_kit.Admission) -> dict[str, Any]:
    """A pod that waits for four cores."""
    return admission.stored(admission_kit.pod({names.CORES_ANNOTATION: "4"}))


@pytest.fixture
def granted(admission: admission_kit.Admission, waiting: dict[str, Any]) -> dict[str, Any]:
    """The same pod after the operator has bound it."""
    bound = pods.binding(pods.read(waiting), "w1", SPANS)
    admission.operator.create(f"{path(waiting)}/binding", bound)
    return admission.admin.get(path(waiting))


def path(stored: dict[str, Any]) -> str:
    return f"{admission_kit.PODS}/{stored['metadata']['name']}"


def refusal(answer: api_client.Response, status: http.HTTPStatus) -> str:
    assert answer.status == status, answer.body
    return answer.message.partition(" denied request: ")[2]


def test_operators_binding_commits_a_grant(granted: dict[str, Any]) -> None:
    assert granted["spec"]["nodeName"] == "w1"
    assert granted["metadata"]["annotations"].items() >= GRANT.items()
    assert {each["type"]: each["status"] for each in granted["status"]["conditions"]}["PodScheduled"] == "True"


def test_operators_binding_cannot_land_on_a_pod_that_has_changed(
    admission: admission_kit.Admission, waiting: dict[str, Any]
) -> None:
    fence = pods.fence_patch(pods.read(waiting), "2026-01-31T09:00:00.000000Z", "2026-01-31T09:00:00Z")
    fenced = admission.operator.patch(f"{path(waiting)}/status", fence, api_client.STRATEGIC_PATCH)
    assert pods.read(fenced).fenced_until == "2026-01-31T09:00:00.000000Z"
    bound = pods.binding(pods.read(waiting), "w1", SPANS)
    answer = admission.operator.request("POST", f"{path(waiting)}/binding", bound)
    assert answer.status == http.HTTPStatus.CONFLICT
    assert "nodeName" not in admission.admin.get(path(waiting))["spec"]


OPERATORS = "the operator binds with the "
WITH_GRANT = OPERATORS + "grant annotation, which names the node of the Binding, and with no other"
WITH_VERSION = OPERATORS + "pod's uid and resourceVersion, so that a grant which was taken back can never land"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"annotations": {}}, WITH_GRANT),
        ({"annotations": {names.GRANT_ANNOTATION: '{"node":"w2","containers":{"app":"0-3"}}'}}, WITH_GRANT),
        ({"annotations": {**GRANT, "example.com/x": "y"}}, WITH_GRANT),
        ({"annotations": {**GRANT, names.CORES_ANNOTATION: "8"}}, WITH_GRANT),
        ({"uid": ""}, WITH_VERSION),
        ({"resourceVersion": ""}, WITH_VERSION),
        (
            {"labels": {names.MANAGED_LABEL: "false"}},
            (
                "a Binding must not carry label neuronspan.dev/managed: the operator finds the pods that have "
                "NeuronCores by it; bind without it"
            ),
        ),
    ],
    ids=["no grant", "another node", "another annotation", "a request", "no uid", "no version", "a label"],
)
def test_operator_binds_with_a_grant_of_that_node_and_nothing_else(
    admission: admission_kit.Admission, waiting: dict[str, Any], change: dict[str, Any], sentence: str
) -> None:
    bound = pods.binding(pods.read(waiting), "w1", SPANS)
    changed = {**bound, "metadata": {**bound["metadata"], **change}}
    answer = admission.operator.request("POST", f"{path(waiting)}/binding", changed)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == sentence
    assert "nodeName" not in admission.admin.get(path(waiting))["spec"]


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
    patch = annotation(names.GRANT_ANNOTATION, "{}")
    answer = admission.admin.request("PATCH", f"{path(granted)}/{subresource}", patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.OK
    assert admission.admin.get(path(granted))["metadata"]["annotations"].items() >= GRANT.items()


@pytest.mark.parametrize("legacy", [False, True], ids=["pods/binding", "bindings"])
@pytest.mark.parametrize(
    ("annotations", "named"),
    [
        (GRANT, names.GRANT_ANNOTATION),
        ({"cores.neuronspan.dev/app": "8"}, "cores.neuronspan.dev/app"),
        (
            {names.ENV_ANNOTATION: "count", **GRANT, "a.example/b": "c"},
            f"{names.ENV_ANNOTATION}, {names.GRANT_ANNOTATION}",
        ),
    ],
    ids=["grant", "request", "several"],
)
def test_binding_cannot_bring_annotations(
    admission: admission_kit.Admission, annotations: dict[str, str], named: str, *, legacy: bool
) -> None:
    """The API server copies a Binding's annotations to the pod without asking the policies for pods."""
    stored = admission.stored(admission_kit.pod())
    bound = admission_kit.binding(stored["metadata"]["name"], annotations=annotations)
    collection = BINDINGS if legacy else f"{path(stored)}/binding"
    answer = admission.admin.request("POST", collection, bound)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == (
        f"a Binding must not carry annotation {named}: it would be copied to the pod, where a request for NeuronCores "
        "is fixed and a grant is written by the operator alone; bind without it"
    )
    left = admission.admin.get(path(stored))
    assert "nodeName" not in left["spec"]
    assert "annotations" not in left["metadata"]


def test_binding_cannot_bring_the_label(admission: admission_kit.Admission) -> None:
    stored = admission.stored(admission_kit.pod())
    bound = admission_kit.binding(stored["metadata"]["name"], labels={names.MANAGED_LABEL: names.MANAGED_VALUE})
    answer = admission.admin.request("POST", f"{path(stored)}/binding", bound)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == (
        "a Binding must not carry label neuronspan.dev/managed: the operator finds the pods that have NeuronCores by "
        "it; bind without it"
    )
    assert "nodeName" not in admission.admin.get(path(stored))["spec"]


@pytest.mark.parametrize("legacy", [False, True], ids=["pods/binding", "bindings"])
@pytest.mark.parametrize(
    "metadata",
    [{}, {"annotations": {"scheduler.example/why": "free"}, "labels": {"topology.kubernetes.io/zone": "a"}}],
    ids=["bare", "with its own"],
)
def test_other_schedulers_bind_other_pods_as_they_like(
    admission: admission_kit.Admission, metadata: dict[str, Any], *, legacy: bool
) -> None:
    plain = admission.stored(admission_kit.pod())
    bound = admission_kit.binding(plain["metadata"]["name"], **metadata)
    admission.admin.create(BINDINGS if legacy else f"{path(plain)}/binding", bound)
    stored = admission.admin.get(path(plain))
    assert stored["spec"]["nodeName"] == "w1"
    assert stored["metadata"].get("annotations", {}) == metadata.get("annotations", {})


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
