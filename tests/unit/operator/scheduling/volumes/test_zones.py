"""Volumes in zones: the verdicts and words of the VolumeZone plugin."""

import pytest

from kits.manifests import volumes
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import zones

ELSEWHERE = "node(s) had no available volume zone"
ZONE, BETA = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"
WEB = volumes.view("web", ["data"])


def judged(known: storage.Storage) -> dict[str, str]:
    where = volumes.cluster(known, w1="a", w2="b", w3="")
    return volumes.verdicts(zones.for_pod(WEB, where), where)


@pytest.mark.parametrize(
    ("labels", "allowed"),
    [
        ({ZONE: "a"}, {"w1", "w3"}),
        ({ZONE: "a__b"}, {"w1", "w2", "w3"}),
        ({ZONE: "a __ c"}, {"w1", "w3"}),
        ({BETA: "b"}, {"w2", "w3"}),
        ({ZONE: "c"}, {"w3"}),
        ({ZONE: "a__"}, {"w1", "w2", "w3"}),
        ({"topology.kubernetes.io/region": "r"}, {"w3"}),
        ({"other": "a"}, {"w1", "w2", "w3"}),
    ],
    ids=str,
)
def test_labels_of_a_volume_name_zones_and_nodes_without_any_will_do(labels: dict[str, str], allowed: set[str]) -> None:
    known = volumes.stored([volumes.make_claim(volume="pv-1", bound=True)], [volumes.make_volume(labels=labels)])
    found = judged(known)
    assert {name for name, words in found.items() if not words} == allowed
    assert set(found.values()) <= {"", ELSEWHERE}


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"volume": "pv-1"}, 'persistentvolume "pv-1" not found'),
        ({"of_class": ""}, "PersistentVolumeClaim had no pv name and storageClass name"),
        ({"of_class": "unknown"}, 'storageclass.storage.k8s.io "unknown" not found'),
        ({"of_class": "at-once"}, "PersistentVolume had no name"),
        ({"of_class": "slow"}, ""),
    ],
    ids=str,
)
def test_claim_without_a_volume_is_an_objection_unless_it_waits_for_a_node(claim: dict[str, str], words: str) -> None:
    assert set(judged(volumes.stored([volumes.make_claim(**claim)])).values()) == {words}  # type: ignore[arg-type]


def test_missing_claim_is_an_objection() -> None:
    assert set(judged(volumes.stored()).values()) == {'persistentvolumeclaim "data" not found'}


def test_ephemeral_volumes_are_not_looked_at() -> None:
    where = volumes.cluster(volumes.stored())
    assert zones.for_pod(volumes.view("web", ephemeral=["data"]), where) is None
