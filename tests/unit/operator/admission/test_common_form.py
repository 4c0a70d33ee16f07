"""The patch of a pod that asks."""

from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.requests import answered
from neuronspan import names
from neuronspan_operator.admission import common_form
from neuronspan_operator.admission.settings import Settings

CORES = {names.CORES_ANNOTATION: "4"}
FOUR = {admission_kit.CORES: "4"}
container = admission_kit.container
pod = admission_kit.pod


def _patch(manifest: dict[str, Any]) -> dict[str, Any]:
    found = common_form.patch(manifest["metadata"], manifest["spec"], Settings())
    assert {each["op"] for each in found} <= {"add"}
    assert len({each["path"] for each in found}) == len(found)
    return {each["path"]: each["value"] for each in found}


def _noted(*names_of_containers: str) -> dict[str, Any]:
    """Return what the API server notes of the fields of a request."""
    fields: dict[str, Any] = {f'k:{{"name":"{name}"}}': {".": {}} for name in names_of_containers}
    return {"manager": "x", "operation": "Update", "fieldsV1": {"f:spec": {"f:containers": fields}}}


def test_patch_of_a_plain_request() -> None:
    assert _patch(pod(CORES)) == {
        "/metadata/labels": {names.MANAGED_LABEL: "true"},
        "/metadata/annotations/neuronspan.dev~1container": "app",
        "/spec/schedulerName": "neuronspan",
        "/spec/containers/0/resources": {"limits": FOUR, "requests": FOUR},
    }


def test_labels_of_the_user_stay() -> None:
    labelled = pod(CORES)
    labelled["metadata"]["labels"] = {"a": "b", names.MANAGED_LABEL: "no"}
    assert _patch(labelled)["/metadata/labels/neuronspan.dev~1managed"] == "true"
    assert "/metadata/labels" not in _patch(labelled)


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"limits": {"cpu": "1"}}, {"limits/aws.amazon.com~1neuroncore": "4", "requests": FOUR}),
        ({"requests": {"cpu": "1"}}, {"limits": FOUR, "requests/aws.amazon.com~1neuroncore": "4"}),
        ({"claims": [{"name": "gpu"}]}, {"limits": FOUR, "requests": FOUR}),
        ({"limits": {admission_kit.CORES: "4"}}, {}),
        ({"requests": {admission_kit.DEVICES: "1"}}, {}),
    ],
    ids=["limits", "requests", "claims", "limit of ours", "request of ours"],
)
def test_resources_of_the_user_stay(resources: dict[str, Any], expected: dict[str, Any]) -> None:
    patch = _patch(pod(CORES, {**container("app"), "resources": resources}))
    here = "/spec/containers/0/resources"
    assert {path: value for path, value in patch.items() if path.startswith(here)} == {
        f"{here}/{part}": value for part, value in expected.items()
    }


def test_container_that_another_admission_plugin_put_in_front_is_not_meant() -> None:
    changed = pod(CORES, container("proxy"), container("app"))
    changed["metadata"]["managedFields"] = [{"manager": "y"}, _noted("app")]
    patch = _patch(changed)
    assert patch["/metadata/annotations/neuronspan.dev~1container"] == "app"
    assert "/spec/containers/1/resources" in patch
    assert "/spec/containers/0/resources" not in patch


@pytest.mark.parametrize("fields", [[], [_noted("other")], [{"fieldsV1": None}], None], ids=str)
def test_first_container_is_meant_where_nobody_has_noted_what_the_request_brought(fields: Any) -> None:
    asked = pod(CORES, container("a"), container("b"))
    asked["metadata"]["managedFields"] = fields
    assert _patch(asked)["/metadata/annotations/neuronspan.dev~1container"] == "a"


def test_container_is_not_fixed_when_no_annotation_means_the_whole_pod() -> None:
    patch = _patch(pod({"cores.neuronspan.dev/b": "4"}, container("a"), container("b")))
    assert "/metadata/annotations/neuronspan.dev~1container" not in patch
    assert patch["/spec/containers/1/resources"]["limits"] == FOUR


def test_container_that_the_user_names_is_meant() -> None:
    patch = _patch(pod({**CORES, names.CONTAINER_ANNOTATION: "b"}, container("a"), container("b")))
    assert patch["/spec/containers/1/resources"]["limits"] == FOUR
    assert "/spec/containers/0/resources" not in patch


@pytest.mark.parametrize(
    "annotations",
    [
        {names.CORES_ANNOTATION: "x"},
        {names.CORES_ANNOTATION: "129"},
        {**CORES, names.DEVICES_ANNOTATION: "2"},
        {**CORES, "cores.neuronspan.dev/app": "3"},
        {**CORES, "cores.neuronspan.dev/app": "x"},
    ],
    ids=["unreadable", "too many", "cores and devices", "two numbers", "one unreadable"],
)
def test_what_cannot_be_meant_gets_no_limit(annotations: dict[str, str]) -> None:
    assert not any("resources" in path for path in _patch(pod(annotations)))


def test_pod_with_a_node_is_only_labelled() -> None:
    assert _patch(pod(CORES, nodeName="w1")) == {"/metadata/labels": {names.MANAGED_LABEL: "true"}}


def test_init_containers_get_their_limits_at_their_place() -> None:
    asked = pod({"cores.neuronspan.dev/s": "4"}, init=[container("i"), container("s", sidecar=True)])
    assert _patch(asked)["/spec/initContainers/1/resources"] == {"limits": FOUR, "requests": FOUR}
    assert answered.admitted(asked).refusal == ""


@pytest.mark.parametrize("containers", [None, []], ids=["none", "empty"])
def test_pod_without_containers_is_left_to_the_api_server(containers: Any) -> None:
    assert _patch({"metadata": {"annotations": CORES}, "spec": {"containers": containers}}) == {}
