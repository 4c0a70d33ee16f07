"""Volumes as they are read, and the nodes that can reach them."""

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects.constraints.volumes import claims, persistent_volumes

ZONE = "topology.kubernetes.io/zone"


@pytest.mark.parametrize(
    ("zones", "labels", "reachable"),
    [((), {}, True), (("a", "b"), {ZONE: "b"}, True), (("a",), {ZONE: "b"}, False), (("a",), {}, False)],
)
def test_volume_is_reachable_where_its_affinity_says(
    zones: tuple[str, ...], labels: dict[str, str], *, reachable: bool
) -> None:
    assert persistent_volumes.read(volumes.make_volume(zones=zones)).reachable(labels) is reachable


@pytest.mark.parametrize(
    ("name", "uid", "held"),
    [("data", "", True), ("data", "uid-data", True), ("data", "uid-other", False), ("other", "", False)],
)
def test_volume_is_held_for_the_claim_that_it_names(name: str, uid: str, *, held: bool) -> None:
    volume = persistent_volumes.read(volumes.make_volume(claim=name, claim_uid=uid))
    assert volume.holder is not None
    assert volume.holder.is_claim(claims.read(volumes.make_claim())) is held


def test_disk_of_a_driver_has_its_name() -> None:
    found = persistent_volumes.read(volumes.make_volume(handle="vol-1"))
    assert (found.driver, found.handle, found.plugin) == (volumes.DRIVER, "vol-1", "")


@pytest.mark.parametrize("volume_id", ["vol-1", "aws://us-east-1a/vol-1", "aws:///vol-1"])
def test_disk_of_the_built_in_plugin_has_the_name_that_the_driver_gives_it(volume_id: str) -> None:
    found = persistent_volumes.read(volumes.make_volume(ebs=volume_id))
    assert (found.driver, found.handle, found.plugin) == ("ebs.csi.aws.com", "vol-1", "kubernetes.io/aws-ebs")


@pytest.mark.parametrize("migrated", [False, True], ids=["plugin", "driver"])
def test_disk_of_the_built_in_plugin_is_where_the_driver_says_once_it_has_taken_over(*, migrated: bool) -> None:
    found = persistent_volumes.read(volumes.make_volume(ebs="vol-1", zones=["a"]))
    plugins = frozenset({"kubernetes.io/aws-ebs"} if migrated else ())
    assert found.reachable({ZONE: "a"}, plugins) is not migrated
    assert found.reachable({"topology.ebs.csi.aws.com/zone": "a"}, plugins) is migrated


def test_labels_say_the_zone_of_a_built_in_disk_without_affinity() -> None:
    found = persistent_volumes.read(volumes.make_volume(ebs="vol-1", labels={ZONE: "a__b"}))
    plugins = frozenset({"kubernetes.io/aws-ebs"})
    zones = [zone for zone in "abc" if found.reachable({"topology.ebs.csi.aws.com/zone": zone}, plugins)]
    assert zones == ["a", "b"]


def test_region_of_a_built_in_disk_gets_the_label_that_new_nodes_have() -> None:
    manifest = volumes.make_volume(ebs="vol-1", zones=["a"])
    (term,) = manifest["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    term["matchExpressions"] = [
        {"key": f"failure-domain.beta.kubernetes.io/{kind}", "operator": "In", "values": [value]}
        for kind, value in (("zone", "a"), ("region", "r"))
    ]
    labels = {"topology.ebs.csi.aws.com/zone": "a", "topology.kubernetes.io/region": "r"}
    found = persistent_volumes.read(manifest)
    assert found.reachable(labels, frozenset({"kubernetes.io/aws-ebs"}))
    assert not found.reachable(labels)


def test_built_in_disk_without_any_zone_is_reachable_everywhere() -> None:
    found = persistent_volumes.read(volumes.make_volume(ebs="vol-1"))
    assert found.reachable({}, frozenset({"kubernetes.io/aws-ebs"}))
