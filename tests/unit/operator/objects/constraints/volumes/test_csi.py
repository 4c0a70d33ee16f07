"""What drivers say about nodes, as it is read."""

from kits.manifests import volumes
from neuronspan_operator.objects.constraints.volumes import csi

ZONE = "topology.kubernetes.io/zone"


def test_node_has_the_limits_of_drivers_that_give_one() -> None:
    assert csi.read_node(volumes.make_csi_node(limit=0)).limits == {volumes.DRIVER: 0}
    assert csi.read_node(volumes.make_csi_node()).limits == {}


def test_node_names_the_plugins_that_drivers_replaced() -> None:
    found = csi.read_node(volumes.make_csi_node(migrated="kubernetes.io/aws-ebs,kubernetes.io/gce-pd"))
    assert found.migrated == {"kubernetes.io/aws-ebs", "kubernetes.io/gce-pd"}
    assert csi.read_node(volumes.make_csi_node()).migrated == frozenset()


def test_largest_volume_says_more_than_what_is_left_in_all() -> None:
    both = csi.read_capacity(volumes.make_capacity("a", capacity="10Gi", largest="1Gi"))
    left = csi.read_capacity(volumes.make_capacity("a", capacity="10Gi"))
    neither = csi.read_capacity(volumes.make_capacity("a"))
    assert [each.largest for each in (both, left, neither)] == [1 << 30, 10 << 30, None]


def test_capacity_without_a_topology_is_for_no_node() -> None:
    manifest = volumes.make_capacity("a", capacity="1Gi")
    assert csi.read_capacity(manifest).nodes.selects({ZONE: "a"})
    del manifest["nodeTopology"]
    assert not csi.read_capacity(manifest).nodes.selects({ZONE: "a"})


def test_attachment_names_node_driver_and_volume() -> None:
    assert csi.read_attachment(volumes.make_attachment("pv-1")) == csi.Attachment("w1", volumes.DRIVER, "pv-1")


def test_driver_says_whether_it_tracks_capacity() -> None:
    assert csi.read_driver(volumes.make_csi_driver()).tracks_capacity
    assert not csi.read_driver(volumes.make_csi_driver(tracks=False)).tracks_capacity
