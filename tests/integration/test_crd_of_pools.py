"""What the API server itself refuses to store: the rules of NeuronPool, and the defaults that it fills in."""

import http
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit
from neuronspan import instance_types

pytestmark = pytest.mark.integration

POOLS = "/apis/neuronspan.dev/v1alpha1/neuronpools"
STRICT = "?fieldValidation=Strict"


@pytest.fixture
def admin(control_plane: control_plane_kit.ControlPlane) -> Iterator[api_client.Client]:
    """A client that leaves no NeuronPool behind."""
    client = control_plane.client()
    yield client
    client.delete(f"{POOLS}/pool")


def pool(**changes: Any) -> dict[str, Any]:
    spec = {"nodeSelector": {"a": "b"}, "hardware": {"instanceType": "trn1.32xlarge"}, **changes}
    return {
        "apiVersion": "neuronspan.dev/v1alpha1",
        "kind": "NeuronPool",
        "metadata": {"name": "pool"},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hardware": {"instanceType": "p5.48xlarge"}}, 'supported values: "inf1.xlarge", "inf1.2xlarge"'),
        ({"hardware": {"instanceType": "trn2.48xlarge", "logicalCoreSize": 4}}, 'supported values: "1", "2"'),
        (
            {"hardware": {"instanceType": "trn1.32xlarge", "logicalCoreSize": 2}},
            " only, and the instance type is trn1.32xlarge: leave it out",
        ),
        (
            {"hardware": {"instanceType": "detect", "logicalCoreSize": 1}},
            "detected hardware has the logicalCoreSize that is configured on the node: leave it out",
        ),
        ({"nodeSelector": {}}, "should have at least 1 properties"),
        ({"policy": {"packing": "any"}}, 'supported values: "best-fit", "first-fit", "worst-fit"'),
        ({"policy": {"alignment": "chip"}}, 'supported values: "none", "device", "link"'),
        ({"policy": {"deviceCounts": "4"}}, 'supported values: "any", "aws"'),
        ({"policy": {"preferences": "Last"}}, 'supported values: "First", "AfterPacking"'),
        ({"policy": {"limboSeconds": 0}}, "should be greater than or equal to 1"),
    ],
    ids=[
        "instance type",
        "size",
        "joined cores on trn1",
        "size of detected hardware",
        "every node",
        "packing",
        "alignment",
        "device counts",
        "preferences",
        "no patience",
    ],
)
def test_bad_pool_is_not_stored(admin: api_client.Client, changes: dict[str, Any], words: str) -> None:
    answer = admin.request("POST", POOLS, pool(**changes))
    assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY
    assert words in answer.message


@pytest.mark.parametrize("name", [*instance_types.INSTANCE_TYPES, instance_types.DETECT])
def test_every_instance_type_makes_a_pool_with_defaults(admin: api_client.Client, name: str) -> None:
    created = admin.create(f"{POOLS}{STRICT}", pool(hardware={"instanceType": name}))
    assert created["spec"]["policy"] == {
        "packing": "best-fit",
        "alignment": "none",
        "deviceCounts": "any",
        "preferences": "First",
        "limboSeconds": 60,
        "quarantineSeconds": 300,
    }
