"""How many volumes a driver attaches to a node: the verdicts and words of the NodeVolumeLimits plugin."""

from typing import Any

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import limits

TOO_MANY = "node(s) exceed max volume count"
EBS = {"awsElasticBlockStore": {"volumeID": "aws://a/vol-data"}}


def bound(*names: str, limit: int | None = 1, **other: Any) -> storage.Storage:
    """Claims with a volume each, on a node with a limit."""
    return volumes.stored(
        [volumes.make_claim(name, volume=f"pv-{name}", bound=True) for name in names],
        [volumes.make_volume(f"pv-{name}", handle=f"vol-{name}") for name in names],
        csi_nodes=[volumes.make_csi_node("w1", limit=limit)],
        **other,
    )


def judged(known: storage.Storage, pod: pods.PodView, *placed: pods.PodView) -> str:
    where = volumes.cluster(known, w1="a", w2="b")
    for other in placed:
        where.add(other, "w1")
    found = volumes.verdicts(limits.for_pod(pod, where), where)
    assert found["w2"] == ""  # its drivers give no limit
    return found["w1"]


@pytest.mark.parametrize(("limit", "words"), [(0, TOO_MANY), (1, TOO_MANY), (2, ""), (None, "")])
def test_new_volume_counts_beside_those_of_the_pods_of_the_node(limit: int | None, words: str) -> None:
    known = bound("data", "logs", limit=limit)
    assert judged(known, volumes.view("web", ["data"]), volumes.view("db", ["logs"])) == words


def test_volume_that_a_pod_of_the_node_uses_already_costs_nothing() -> None:
    assert judged(bound("data"), volumes.view("web", ["data"]), volumes.view("db", ["data"])) == ""


def test_attached_volumes_count_once() -> None:
    attached = bound("data", "logs", attachments=[volumes.make_attachment("pv-logs")])
    pod, other = volumes.view("web", ["data"]), volumes.view("db", ["logs"])
    assert judged(attached, pod) == TOO_MANY
    twice = bound("data", "logs", limit=2, attachments=[volumes.make_attachment("pv-logs")])
    assert judged(twice, pod, other) == ""


def test_attachments_to_other_nodes_and_of_unknown_volumes_do_not_count() -> None:
    elsewhere = [volumes.make_attachment("pv-logs", "w2"), volumes.make_attachment("pv-gone")]
    assert judged(bound("data", "logs", attachments=elsewhere), volumes.view("web", ["data"])) == ""


def test_attachment_of_a_disk_of_the_old_plugin_does_not_count() -> None:
    known = volumes.stored(
        [volumes.make_claim(volume="pv-data", bound=True)],
        [volumes.make_volume("pv-data", handle="vol-data"), volumes.make_volume("pv-old", ebs="vol-old")],
        csi_nodes=[volumes.make_csi_node("w1", limit=1)],
        attachments=[volumes.make_attachment("pv-old")],
    )
    assert judged(known, volumes.view("web", ["data"])) == ""


def test_claim_without_a_volume_counts_as_one_of_the_driver_of_its_class() -> None:
    known = volumes.stored([volumes.make_claim(of_class="fast")], csi_nodes=[volumes.make_csi_node(limit=0)])
    assert judged(known, volumes.view("web", ["data"])) == TOO_MANY


@pytest.mark.parametrize("of_class", ["", "unknown", "slow"])
def test_claim_whose_class_has_no_driver_with_a_limit_does_not_count(of_class: str) -> None:
    known = volumes.stored([volumes.make_claim(of_class=of_class)], csi_nodes=[volumes.make_csi_node(limit=0)])
    assert judged(known, volumes.view("web", ["data"])) == ""


def test_claim_of_the_old_plugin_counts_for_the_driver_that_took_over() -> None:
    known = volumes.stored(
        [volumes.make_claim()],
        classes=[volumes.make_class(provisioner="kubernetes.io/aws-ebs")],
        csi_nodes=[volumes.make_csi_node(limit=0)],
    )
    assert judged(known, volumes.view("web", ["data"])) == TOO_MANY


def test_disk_that_a_pod_names_itself_is_the_same_as_that_of_a_claim() -> None:
    known = bound("data")
    assert judged(known, volumes.view("web", disks=[EBS]), volumes.view("db", ["data"])) == ""
    assert judged(bound("data", limit=0), volumes.view("web", disks=[EBS])) == TOO_MANY


def test_missing_claims_and_those_of_another_owner_do_not_count() -> None:
    known = volumes.stored(
        [volumes.make_claim("web-data", of_class="fast", owner="uid-old")], csi_nodes=[volumes.make_csi_node(limit=0)]
    )
    assert judged(known, volumes.view("web", ["missing"], ephemeral=["data"])) == ""
