"""Claims as they are read."""

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects.constraints.volumes import claims


def test_claim_is_read_with_all_that_decides() -> None:
    manifest = volumes.make_claim(
        size="1500Mi", selected="w1", modes=("ReadWriteOncePod",), mode="Block", attributes="gold", owner="uid-web"
    )
    found = claims.read(manifest)
    assert (found.key, found.uid, found.resource_version) == ("default/data", "uid-data", "1")
    assert (found.requested, found.sized, found.mode, found.attributes_class) == (1500 << 20, True, "Block", "gold")
    assert (found.selected_node, found.class_name, found.controller) == ("w1", "slow", "uid-web")
    assert found.once_per_pod


def test_claim_without_a_size_asks_for_nothing() -> None:
    found = claims.read(volumes.make_claim(size=""))
    assert (found.requested, found.sized) == (0, False)


@pytest.mark.parametrize(
    ("bound", "volume", "settled"), [(True, "pv-1", True), (False, "pv-1", False), (True, "", False)]
)
def test_claim_is_settled_when_its_binding_is_complete(*, bound: bool, volume: str, settled: bool) -> None:
    assert claims.read(volumes.make_claim(bound=bound, volume=volume)).settled is settled


def test_old_annotation_of_the_class_comes_before_the_field() -> None:
    manifest = volumes.make_claim(of_class="slow")
    manifest["metadata"]["annotations"] = {"volume.beta.kubernetes.io/storage-class": "fast"}
    assert claims.read(manifest).class_name == "fast"


def test_claim_without_a_selector_takes_any_volume_and_a_selector_narrows_it() -> None:
    assert claims.read(volumes.make_claim()).selector.selects({})
    narrowed = claims.read(volumes.make_claim(selector={"matchLabels": {"disk": "nvme"}}))
    assert not narrowed.selector.selects({})
    assert narrowed.selector.selects({"disk": "nvme"})


def test_lost_and_deleted_claims_are_told_apart() -> None:
    lost, deleted = volumes.make_claim(phase="Lost"), volumes.make_claim(deleted=True)
    assert [(each.lost, each.deleted) for each in map(claims.read, (lost, deleted))] == [(True, False), (False, True)]
