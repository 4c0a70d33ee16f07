"""Who binds which pod with what: the operator with its grant, others without anything of ours."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from neuronspan import names, spans
from neuronspan_operator.objects import pod_changes, pods

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

path = admission_kit.path_of
refusal = admission_kit.refusal
BINDINGS = "/api/v1/namespaces/default/bindings"
SPANS = {"app": spans.CoreSpan(0, 4)}
GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"0-3"}}'}


def test_operators_binding_commits_a_grant(granted: dict[str, Any]) -> None:
    assert granted["spec"]["nodeName"] == "w1"
    assert granted["metadata"]["annotations"].items() >= GRANT.items()
    assert {each["type"]: each["status"] for each in granted["status"]["conditions"]}["PodScheduled"] == "True"


def test_operators_binding_cannot_land_on_a_pod_that_has_changed(
    admission: admission_kit.Admission, waiting: dict[str, Any]
) -> None:
    fence = pod_changes.fence_patch(pods.read(waiting), "2026-01-31T09:00:00.000000Z", "2026-01-31T09:00:00Z")
    fenced = admission.operator.patch(f"{path(waiting)}/status", fence, api_client.STRATEGIC_PATCH)
    assert pods.read(fenced).fenced_until == "2026-01-31T09:00:00.000000Z"
    bound = pod_changes.binding(pods.read(waiting), "w1", SPANS)
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
    bound = pod_changes.binding(pods.read(waiting), "w1", SPANS)
    changed = {**bound, "metadata": {**bound["metadata"], **change}}
    answer = admission.operator.request("POST", f"{path(waiting)}/binding", changed)
    assert refusal(answer, http.HTTPStatus.FORBIDDEN) == sentence
    assert "nodeName" not in admission.admin.get(path(waiting))["spec"]


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
