"""Which nodes can have a pod's volumes: the verdicts and words of the VolumeBinding plugin."""

from typing import Any

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import binding, pod_claims

AFFINITY = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
NO_SUCH_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"

WEB = volumes.view("web", ["data"])


def judged(known: storage.Storage, pod: pods.PodView = WEB) -> dict[str, str]:
    where = volumes.cluster(known, w1="a", w2="b")
    return volumes.verdicts(binding.for_pod(pod, where), where)


def test_pod_without_claims_asks_nothing() -> None:
    assert binding.for_pod(volumes.view(), volumes.cluster(volumes.stored())) is None


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ([], 'persistentvolumeclaim "data" not found'),
        ([volumes.make_claim(deleted=True)], 'persistentvolumeclaim "data" is being deleted'),
        (
            [volumes.make_claim(phase="Lost", volume="pv-1")],
            'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1"',
        ),
        ([volumes.make_claim(of_class="at-once")], UNBOUND),
        ([volumes.make_claim(of_class="unknown")], UNBOUND),
        ([volumes.make_claim(of_class="")], UNBOUND),
        ([volumes.make_claim(volume="pv-1")], UNBOUND),
    ],
    ids=["missing", "deleted", "lost", "immediate", "no such class", "no class", "not complete"],
)
def test_claim_that_no_node_can_help_is_an_objection_of_the_pod(claims: list[Any], words: str) -> None:
    where = volumes.cluster(volumes.stored(claims))
    assert binding.for_pod(WEB, where) == pod_claims.of_pod(words)


def test_what_cannot_be_read_is_not_taken_for_absent() -> None:
    known = storage.Storage(unread=("persistentvolumes",))
    assert set(judged(known).values()) == {
        "persistentvolumes cannot be read: not listed yet, or the right to list is missing"
    }


def test_ephemeral_claim_is_made_for_its_pod_and_owned_by_it() -> None:
    pod = volumes.view("web", ephemeral=["scratch"])
    waiting = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "web-scratch"'
    foreign = "PVC default/web-scratch was not created for pod default/web (pod is not owner)"
    claim = volumes.make_claim("web-scratch", of_class="fast", owner="uid-web")
    other = volumes.make_claim("web-scratch", of_class="fast", owner="uid-old")
    found = [judged(volumes.stored(claims), pod)["w1"] for claims in ([], [other], [claim])]
    assert found == [waiting, foreign, ""]


def test_bound_claim_is_where_its_volume_is() -> None:
    claim = volumes.make_claim(volume="pv-1", bound=True)
    known = volumes.stored([claim], [volumes.make_volume(zones=["a"], phase="Bound")])
    assert judged(known) == {"w1": "", "w2": AFFINITY}


def test_bound_claim_without_its_volume_is_nowhere() -> None:
    assert set(judged(volumes.stored([volumes.make_claim(volume="pv-1", bound=True)])).values()) == {NO_SUCH_VOLUME}


@pytest.mark.parametrize(
    ("volume", "fits"),
    [
        ({}, True),
        ({"size": "2Gi"}, True),
        ({"size": "1000Mi"}, False),
        ({"of_class": "fast"}, False),
        ({"modes": ["ReadOnlyMany"]}, False),
        ({"modes": ["ReadOnlyMany", "ReadWriteOnce"]}, True),
        ({"mode": "Block"}, False),
        ({"mode": "Filesystem"}, True),
        ({"attributes": "gold"}, False),
        ({"phase": "Released"}, False),
        ({"deleted": True}, False),
        ({"claim": "other"}, False),
        ({"claim": "data", "claim_uid": "uid-old"}, False),
        ({"claim": "data"}, True),
        ({"claim": "data", "claim_uid": "uid-data", "phase": "Bound", "modes": []}, True),
        ({"claim": "data", "size": "1Mi"}, False),
    ],
    ids=str,
)
def test_existing_volume_has_to_be_what_the_claim_asks_for(volume: dict[str, Any], *, fits: bool) -> None:
    known = volumes.stored([volumes.make_claim()], [volumes.make_volume(zones=["a"], **volume)])
    assert judged(known) == {"w1": "" if fits else NO_VOLUME, "w2": NO_VOLUME}


@pytest.mark.parametrize("disk", ["nvme", "hdd"])
def test_selector_of_a_claim_chooses_among_volumes(disk: str) -> None:
    claim = volumes.make_claim(selector={"matchLabels": {"disk": "nvme"}})
    known = volumes.stored([claim], [volumes.make_volume(labels={"disk": disk})])
    assert (judged(known)["w1"] == "") is (disk == "nvme")


def test_volume_that_is_held_for_a_claim_is_its_only_one() -> None:
    known = volumes.stored(
        [volumes.make_claim()], [volumes.make_volume("held", zones=["b"], claim="data"), volumes.make_volume("free")]
    )
    assert judged(known) == {"w1": NO_VOLUME, "w2": ""}


def test_each_claim_of_a_pod_needs_a_volume_of_its_own() -> None:
    pod = volumes.view("web", ["data", "logs"])
    claims = [volumes.make_claim("data"), volumes.make_claim("logs")]
    one, two = volumes.make_volume("pv-1"), volumes.make_volume("pv-2", zones=["a"])
    assert judged(volumes.stored(claims, [one]), pod)["w1"] == NO_VOLUME
    assert judged(volumes.stored(claims, [one, two]), pod) == {"w1": "", "w2": NO_VOLUME}


def test_claim_that_two_volumes_of_a_pod_use_gets_one_volume() -> None:
    known = volumes.stored([volumes.make_claim()], [volumes.make_volume()])
    assert judged(known, volumes.view("web", ["data", "data"]))["w1"] == ""


def test_volumes_are_made_where_the_class_allows_it() -> None:
    somewhere = volumes.make_class("fast", provisioner=volumes.DRIVER, zones=["b"])
    known = volumes.stored([volumes.make_claim(of_class="fast")], classes=[somewhere])
    assert judged(known) == {"w1": NO_VOLUME, "w2": ""}


def test_claim_with_a_selected_node_is_for_that_node_only_and_takes_no_existing_volume() -> None:
    claim = volumes.make_claim(of_class="fast", selected="w2")
    assert judged(volumes.stored([claim])) == {"w1": NO_VOLUME, "w2": ""}
    static = volumes.make_claim(of_class="slow", selected="w2")
    assert judged(volumes.stored([static], [volumes.make_volume()])) == {"w1": NO_VOLUME, "w2": NO_VOLUME}


@pytest.mark.parametrize(
    ("capacity", "tracks", "size", "words"),
    [
        ({"capacity": "1Gi"}, True, "1Gi", ""),
        ({"capacity": "1Gi"}, True, "2Gi", NO_SPACE),
        ({"capacity": "4Gi", "largest": "1Gi"}, True, "2Gi", NO_SPACE),
        ({}, True, "1Gi", NO_SPACE),
        ({"capacity": "9Gi", "of_class": "slow"}, True, "1Gi", NO_SPACE),
        ({"capacity": "1Gi"}, False, "2Gi", ""),
        ({}, True, "", ""),
    ],
    ids=str,
)
def test_driver_that_tracks_its_space_needs_enough_of_it(
    capacity: dict[str, str], size: str, words: str, *, tracks: bool
) -> None:
    known = volumes.stored(
        [volumes.make_claim(of_class="fast", size=size)],
        drivers=[volumes.make_csi_driver(tracks=tracks)],
        capacities=[volumes.make_capacity("a", **capacity)],
    )
    assert judged(known)["w1"] == words


def test_space_in_one_zone_is_none_in_another() -> None:
    known = volumes.stored(
        [volumes.make_claim(of_class="fast")],
        drivers=[volumes.make_csi_driver()],
        capacities=[volumes.make_capacity("a", capacity="9Gi")],
    )
    assert judged(known) == {"w1": "", "w2": NO_SPACE}
