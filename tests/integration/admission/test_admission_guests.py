"""Guests: pods that somebody else binds, in a cluster whose chart lets them in."""

import http
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from kits.requests import compared, drawn
from neuronspan import names, spans
from neuronspan_operator.admission.settings import Settings
from neuronspan_operator.objects import pod_changes, pods

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

path = admission_kit.path_of
CORES = {names.CORES_ANNOTATION: "4"}
CLAIMS = [{"name": "gpu", "resourceClaimName": "gpu"}]
GRANT = {names.GRANT_ANNOTATION: '{"node":"w1","containers":{"app":"0-3"}}'}
GATE = {"name": names.SCHEDULING_GATE}
FOREIGN = {"name": "other.example/gate"}
GATE_STAYS = (
    "the scheduling gate neuronspan.dev/cores is removed by the operator, once the pod has its NeuronCores: "
    "`kubectl neuron explain POD` says why it waits; delete the pod to give up"
)


@pytest.fixture(scope="module")
def admission(mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[admission_kit.Admission]:
    """The chart in a real API server, as ``conftest`` has it, but with guests."""
    with (
        control_plane_kit.running(tmp_path_factory.mktemp("guests")) as plane,
        admission_kit.installed(plane, {**admission_kit.GUESTS, "admission": {"mode": mode}}) as everything,
    ):
        yield everything


def guest(*gates: dict[str, str], **spec: Any) -> dict[str, Any]:
    held = {"schedulingGates": list(gates)} if gates else {}
    return admission_kit.pod(CORES, **{"schedulerName": "volcano", **held, **spec})


def test_drawn_requests_become_the_same_where_guests_are_let_in(
    admission: admission_kit.Admission, control_plane: control_plane_kit.ControlPlane, claims: bool
) -> None:
    plain = control_plane.client()

    @hypothesis.settings(max_examples=100, deadline=None, database=None)
    @hypothesis.given(pod=drawn.pods(claims=claims))
    def agree(pod: dict[str, Any]) -> None:
        found = compared.created(admission, plain, pod, Settings(guests=True))
        assert found.theirs == found.ours

    agree()


@pytest.fixture
def waiting(admission: admission_kit.Admission) -> dict[str, Any]:
    """A guest that waits for four cores, and for somebody else."""
    return admission.stored(guest(FOREIGN, nodeSelector={"a": "b"}))


@pytest.mark.parametrize(
    ("spec", "scheduler"),
    [
        ({"schedulerName": "volcano"}, "volcano"),
        ({"schedulerName": "default-scheduler", "resourceClaims": CLAIMS}, "default-scheduler"),
        ({"schedulerName": "volcano", "resourceClaims": CLAIMS}, "volcano"),
    ],
    ids=["another scheduler", "resource claims", "both"],
)
def test_guest_keeps_its_scheduler_and_waits_behind_our_gate(
    admission: admission_kit.Admission, spec: dict[str, Any], scheduler: str, request: pytest.FixtureRequest
) -> None:
    if "resourceClaims" in spec:
        request.getfixturevalue("needs_claims")
    stored = admission.stored(guest(**spec))
    assert stored["spec"]["schedulerName"] == scheduler
    assert stored["spec"]["schedulingGates"] == [GATE]
    assert stored["metadata"]["labels"] == {names.MANAGED_LABEL: names.MANAGED_VALUE}
    assert stored["metadata"]["annotations"][names.CONTAINER_ANNOTATION] == "app"
    view = pods.read(stored)
    assert (view.problems, view.unlimited, view.gated) == ((), (), True)


@pytest.mark.parametrize(
    "before",
    [[FOREIGN], [GATE], [FOREIGN, GATE, {"name": "third.example/g"}]],
    ids=["other", "ours", "both"],
)
def test_gate_is_there_once_whatever_gates_the_guest_has(
    admission: admission_kit.Admission, before: list[dict[str, str]]
) -> None:
    found = [gate["name"] for gate in admission.stored(guest(*before))["spec"]["schedulingGates"]]
    assert sorted(found) == sorted({names.SCHEDULING_GATE, *(gate["name"] for gate in before)})


def test_pod_without_a_scheduler_of_its_own_is_no_guest(admission: admission_kit.Admission) -> None:
    stored = admission.stored(admission_kit.pod(CORES))
    assert stored["spec"]["schedulerName"] == names.SCHEDULER
    assert "schedulingGates" not in stored["spec"]


@pytest.mark.usefixtures("needs_claims")
def test_our_scheduler_cannot_allocate_resource_claims(admission: admission_kit.Admission) -> None:
    answer = admission.submit(guest(schedulerName=names.SCHEDULER, resourceClaims=CLAIMS))
    assert admission_kit.words(answer) == (
        'spec.schedulerName is "neuronspan", which cannot allocate the pod\'s resource claims: '
        "remove spec.schedulerName"
    )


def test_gate_cannot_be_removed_by_hand(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    patch = {"spec": {"schedulingGates": [FOREIGN]}}
    answer = admission.admin.request("PATCH", path(waiting), patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN
    assert admission_kit.words(answer) == GATE_STAYS
    assert pods.read(admission.admin.get(path(waiting))).gated


def test_gates_of_others_can_be_removed_by_hand(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    patched = admission.admin.patch(path(waiting), {"spec": {"schedulingGates": [GATE]}})
    assert patched["spec"]["schedulingGates"] == [GATE]


def test_operators_patch_commits_a_grant(admission: admission_kit.Admission, waiting: dict[str, Any]) -> None:
    patch = pod_changes.ungate_patch(pods.read(waiting), "w1", {"app": spans.CoreSpan(0, 4)})
    granted = admission.operator.patch(path(waiting), patch, api_client.JSON_PATCH)
    assert granted["spec"]["schedulingGates"] == [FOREIGN]
    assert granted["spec"]["nodeSelector"] == {"a": "b", names.HOSTNAME_LABEL: "w1"}
    assert granted["metadata"]["annotations"].items() >= GRANT.items()


def test_scheduler_of_a_guest_binds_it(admission: admission_kit.Admission) -> None:
    stored = admission.stored(guest())
    patch = pod_changes.ungate_patch(pods.read(stored), "w1", {"app": spans.CoreSpan(0, 4)})
    admission.operator.patch(path(stored), patch, api_client.JSON_PATCH)
    admission.admin.create(f"{path(stored)}/binding", admission_kit.binding(stored["metadata"]["name"]))
    assert admission.admin.get(path(stored))["spec"]["nodeName"] == "w1"


def of_a_pod(what: str) -> str:
    return f"the operator must not change the {what} of a pod"


TOLERATION = {"key": "x", "operator": "Exists", "effect": "NoSchedule"}
FORBIDDEN: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"spec": {"containers": [{"name": "app", "image": "evil"}]}}, of_a_pod("containers")),
    "toleration": ({"spec": {"tolerations": [TOLERATION]}}, of_a_pod("tolerations")),
    "deadline": ({"spec": {"activeDeadlineSeconds": 1}}, of_a_pod("activeDeadlineSeconds")),
    "label": ({"metadata": {"labels": {"a": "b"}}}, of_a_pod("labels")),
    "finalizer": ({"metadata": {"finalizers": ["example.com/f"]}}, of_a_pod("finalizers")),
    "owner": (
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "w1", "uid": "1"}]}},
        of_a_pod("ownerReferences"),
    ),
    "annotation": (
        {"metadata": {"annotations": {"example.com/x": "y"}}},
        "the operator must not change annotation example.com/x of a pod: the grant is the only one that it writes",
    ),
    "gate of others": (
        {"spec": {"schedulingGates": [{"$patch": "delete", **FOREIGN}]}},
        "the operator must not take away scheduling gates of others",
    ),
    "node selector": (
        {"spec": {"nodeSelector": {"zone": "z"}}},
        "the operator must not select nodes by anything but their name",
    ),
}


@pytest.mark.parametrize(("patch", "sentence"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_operator_cannot_change(
    admission: admission_kit.Admission, waiting: dict[str, Any], patch: dict[str, Any], sentence: str
) -> None:
    answer = admission.operator.request("PATCH", path(waiting), patch, api_client.STRATEGIC_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    assert admission_kit.words(answer) == sentence
    left = admission.admin.get(path(waiting))
    assert left["metadata"]["resourceVersion"] == waiting["metadata"]["resourceVersion"]
