"""The claims and disks of a pod."""

from typing import Any

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects.constraints import pod_volumes

EBS, EBS_READ = ({"awsElasticBlockStore": {"volumeID": "vol-1", "readOnly": each}} for each in (False, True))
GCE, GCE_READ = ({"gcePersistentDisk": {"pdName": "d", "readOnly": each}} for each in (False, True))
ISCSI, ISCSI_READ = ({"iscsi": {"iqn": "i", "readOnly": each}} for each in (False, True))


def rbd(*monitors: str, pool: str = "", image: str = "i", read_only: bool = False) -> dict[str, Any]:
    return {"rbd": {"monitors": list(monitors), "pool": pool, "image": image, "readOnly": read_only}}


def test_pod_names_its_claims_and_ephemeral_ones_are_named_after_pod_and_volume() -> None:
    spec = volumes.make_pod("web", ["data"], ephemeral=["scratch"])["spec"]
    assert pod_volumes.read(spec, "web") == (
        pod_volumes.ClaimRef("data"),
        pod_volumes.ClaimRef("web-scratch", ephemeral=True),
    )


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        (EBS, EBS, True),
        (EBS_READ, EBS_READ, True),
        (EBS, {"awsElasticBlockStore": {"volumeID": "vol-2"}}, False),
        (GCE, GCE_READ, True),
        (GCE_READ, GCE_READ, False),
        (ISCSI, ISCSI_READ, True),
        (ISCSI_READ, ISCSI_READ, False),
        (EBS, GCE, False),
        (rbd("m1", "m2"), rbd("m2"), True),
        (rbd("m1"), rbd("m1", pool="rbd"), True),
        (rbd("m1"), rbd("m2"), False),
        (rbd("m1"), rbd("m1", pool="other"), False),
        (rbd("m1"), rbd("m1", image="j"), False),
        (rbd("m1", read_only=True), rbd("m1", read_only=True), False),
    ],
)
def test_disks_that_two_pods_cannot_share_clash(one: dict[str, Any], other: dict[str, Any], *, clash: bool) -> None:
    (first,) = pod_volumes.read_disks({"volumes": [one]})
    (second,) = pod_volumes.read_disks({"volumes": [other]})
    assert first.clashes(second) is clash
    assert second.clashes(first) is clash
