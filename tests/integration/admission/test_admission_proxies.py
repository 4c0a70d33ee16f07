"""Somebody else's policy puts its container in front of the pod's: the one that is meant stays the one that it was."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from neuronspan import names
from neuronspan_operator.objects import pods

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

ROOT = "/apis/admissionregistration.k8s.io/v1"
POLICIES, BINDINGS = f"{ROOT}/mutatingadmissionpolicies", f"{ROOT}/mutatingadmissionpolicybindings"
MESH = "mesh"
WISH, SEEN = "mesh.example/inject", "mesh.example/saw-scheduler"
PROXY = """[
    JSONPatch{op: "add", path: "/spec/containers/0", value: Object.spec.containers{name: "proxy", image: "p"}},
    JSONPatch{op: "add", path: "/metadata/annotations/mesh.example~1saw-scheduler", value: object.spec.schedulerName}
]"""
BEFORE, AFTER = "default-scheduler", names.SCHEDULER
"""What the mesh's policy sees of a pod when the API server asks it before ours, and after it."""
REQUESTS: dict[str, dict[str, str]] = {
    "cores": {names.CORES_ANNOTATION: "4"},
    "devices": {names.DEVICES_ANNOTATION: "2"},
    "visible cores": {names.VISIBLE_CORES_ANNOTATION: "4-7"},
    "group sizes": {names.GROUP_SIZES_ANNOTATION: "3,1"},
}
TURN_SECONDS = 100.0
"""The API server draws the order of its policies anew within a second of a change, and one of the two is rarer."""


@pytest.fixture(scope="module")
def mesh(admission: admission_kit.Admission) -> Iterator[admission_kit.Admission]:
    """An API server in which a mesh puts its proxy in front of every pod that has its annotation."""
    version, _, plural = POLICIES.removeprefix("/apis/").rpartition("/")
    if not admission.plane.serves(version, plural):
        pytest.skip("the mesh of this test is a policy that changes pods: Kubernetes 1.36 has these")
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    wanted = f"has(object.metadata.annotations) && '{WISH}' in object.metadata.annotations"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [
            {"name": "wanted", "expression": wanted},
            {"name": "once", "expression": "!object.spec.containers.exists(c, c.name == 'proxy')"},
        ],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": PROXY}}],
    }
    admission.admin.create(POLICIES, {"metadata": {"name": MESH}, "spec": spec})
    admission.admin.create(BINDINGS, {"metadata": {"name": MESH}, "spec": {"policyName": MESH}})
    admission_kit.wait_for(lambda: "proxy" in order(admission.stored(meshed({}))), "the mesh's policy to be active")
    yield admission
    admission.admin.delete(f"{BINDINGS}/{MESH}")
    admission.admin.delete(f"{POLICIES}/{MESH}")
    admission_kit.wait_for(lambda: "proxy" not in order(admission.stored(meshed({}))), "the mesh's policy to be gone")


def meshed(annotations: dict[str, str], *containers: dict[str, Any]) -> dict[str, Any]:
    return admission_kit.pod({WISH: "true", **annotations}, *containers)


def order(stored: dict[str, Any]) -> list[str]:
    return [each["name"] for each in stored["spec"]["containers"]]


@pytest.fixture(scope="module", params=[BEFORE, AFTER], ids=["mesh first", "mesh last"])
def stored(mesh: admission_kit.Admission, mode: str, request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Every request as it is stored, and one that names its container, when the mesh is asked in that turn."""
    if (mode, request.param) == ("webhook", AFTER):
        pytest.skip("the API server asks every policy that changes pods before the first webhook")
    second = {names.CORES_ANNOTATION: "4", names.CONTAINER_ANNOTATION: "second"}
    manifests = {name: meshed(annotations) for name, annotations in REQUESTS.items()}
    manifests["named"] = meshed(second, admission_kit.container("first"), admission_kit.container("second"))
    deadline = time.monotonic() + TURN_SECONDS
    for number in itertools.count():
        found = {name: mesh.stored(manifest) for name, manifest in manifests.items()}
        if {each["metadata"]["annotations"][SEEN] for each in found.values()} == {request.param}:
            return found
        assert time.monotonic() < deadline, f"in {TURN_SECONDS:g} s the mesh was never asked in that turn"
        mesh.admin.patch(f"{POLICIES}/{MESH}", {"metadata": {"labels": {"touched": str(number)}}})
    raise AssertionError


@pytest.mark.parametrize("name", REQUESTS)
def test_proxy_in_front_gets_nothing(stored: dict[str, dict[str, Any]], name: str) -> None:
    pod, annotations = stored[name], REQUESTS[name]
    assert order(pod) == ["proxy", "app"]
    assert pod["metadata"]["annotations"][names.CONTAINER_ANNOTATION] == "app"
    proxy, app = pod["spec"]["containers"]
    assert proxy["resources"] == {}
    assert app["resources"]["limits"] == app["resources"]["requests"] != {}
    view = pods.read(pod)
    assert (view.problems, view.unlimited) == ((), ())
    (request,) = view.requests
    assert request.container == "app"
    assert request.group_sizes == annotations.get(names.GROUP_SIZES_ANNOTATION, "")
    assert request.first == (4 if names.VISIBLE_CORES_ANNOTATION in annotations else None)


def test_container_that_the_user_names_stays(stored: dict[str, dict[str, Any]]) -> None:
    pod = stored["named"]
    assert order(pod) == ["proxy", "first", "second"]
    assert pod["metadata"]["annotations"][names.CONTAINER_ANNOTATION] == "second"
    assert [each.container for each in pods.read(pod).requests] == ["second"]
