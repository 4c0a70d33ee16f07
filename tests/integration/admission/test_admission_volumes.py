"""What the operator's token can change of claims and volumes: the node that was chosen, the claim that is held for."""

import http
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"
VOLUMES = "/api/v1/persistentvolumes"
ROOM = {"storage": "1Gi"}
SELECTED = {"metadata": {"annotations": {"volume.kubernetes.io/selected-node": "w1"}}}
HELD = {
    "metadata": {"annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}},
    "spec": {"claimRef": {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data", "uid": "1"}},
}
LABELLED = {"metadata": {"labels": {"a": "b"}}}


@pytest.fixture
def claim(admission: admission_kit.Admission) -> str:
    """The path of a claim that nobody has bound."""
    name = admission.unique("claim")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": ROOM}, "storageClassName": "late"}
    admission.admin.create(CLAIMS, {"metadata": {"name": name}, "spec": spec})
    return f"{CLAIMS}/{name}"


@pytest.fixture
def volume(admission: admission_kit.Admission) -> str:
    """The path of a volume that is held for nobody."""
    name = admission.unique("volume")
    driver = {"driver": "csi.example", "volumeHandle": name}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": ROOM, "storageClassName": "late", "csi": driver}
    admission.admin.create(VOLUMES, {"metadata": {"name": name}, "spec": spec})
    return f"{VOLUMES}/{name}"


def test_operator_selects_the_node_of_a_claim(admission: admission_kit.Admission, claim: str) -> None:
    patched = admission.operator.patch(claim, SELECTED)
    assert patched["metadata"]["annotations"] == SELECTED["metadata"]["annotations"]


def test_operator_holds_a_volume_for_a_claim(admission: admission_kit.Admission, volume: str) -> None:
    patched = admission.operator.patch(volume, HELD)
    assert patched["spec"]["claimRef"] == HELD["spec"]["claimRef"]
    assert patched["metadata"]["annotations"] == HELD["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        (LABELLED, "labels"),
        ({"metadata": {"finalizers": None}}, "finalizers"),
        ({"metadata": {"annotations": {"example.com/x": "y"}}}, "example.com/x"),
        ({"spec": {"volumeName": "other"}}, "volumeName"),
    ],
    ids=["labels", "finalizers", "annotation", "volume"],
)
def test_operator_cannot_change_a_claim(
    admission: admission_kit.Admission, claim: str, patch: dict[str, Any], what: str
) -> None:
    refused(admission, claim, patch, f"the operator must not change the {what} of a claim")


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        (LABELLED, "labels"),
        ({"metadata": {"annotations": {"example.com/x": "y"}}}, "example.com/x"),
        ({"spec": {"persistentVolumeReclaimPolicy": "Delete"}}, "persistentVolumeReclaimPolicy"),
        ({"spec": {"capacity": {"storage": "2Gi"}}}, "capacity"),
        ({"spec": {"mountOptions": ["suid"]}}, "mountOptions"),
    ],
    ids=["labels", "annotation", "policy", "size", "mount options"],
)
def test_operator_cannot_change_a_volume(
    admission: admission_kit.Admission, volume: str, patch: dict[str, Any], what: str
) -> None:
    refused(admission, volume, patch, f"the operator must not change the {what} of a volume")


def refused(admission: admission_kit.Admission, path: str, patch: dict[str, Any], sentence: str) -> None:
    before = admission.admin.get(path)
    answer = admission.operator.request("PATCH", path, patch, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN, answer.body
    assert admission_kit.words(answer) == sentence
    assert admission.admin.get(path) == before


@pytest.mark.parametrize("kind", ["claim", "volume"])
def test_operator_has_no_right_on_the_status(
    admission: admission_kit.Admission, request: pytest.FixtureRequest, kind: str
) -> None:
    path = f"{request.getfixturevalue(kind)}/status"
    answer = admission.operator.request("PATCH", path, LABELLED, api_client.MERGE_PATCH)
    assert answer.status == http.HTTPStatus.FORBIDDEN
    assert "cannot patch" in answer.message
