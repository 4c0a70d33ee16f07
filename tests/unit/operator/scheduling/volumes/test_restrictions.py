"""Volumes that pods cannot share: the verdicts and words of the VolumeRestrictions plugin."""

from kits.manifests import volumes
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling.volumes import restrictions

IN_USE = (
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
)
NO_DISK = "node(s) had no available disk"
EBS = {"awsElasticBlockStore": {"volumeID": "vol-1"}}


def judged(known: storage.Storage, pod: pods.PodView, *placed: pods.PodView) -> dict[str, str]:
    where = volumes.cluster(known, w1="a", w2="b")
    for other in placed:
        where.add(other, "w1")
    return volumes.verdicts(restrictions.for_pod(pod, where), where)


def test_claim_for_one_pod_is_in_use_on_every_node_while_another_pod_has_it() -> None:
    known = volumes.stored([volumes.make_claim(modes=["ReadWriteOncePod"])])
    pod, other = volumes.view("web", ["data"]), volumes.view("db", ["data"])
    assert judged(known, pod) == {"w1": "", "w2": ""}
    assert judged(known, pod, other) == {"w1": IN_USE, "w2": IN_USE}


def test_claim_of_another_mode_and_claims_of_other_names_are_shared() -> None:
    shared = volumes.stored([volumes.make_claim()])
    alone = volumes.stored([volumes.make_claim(modes=["ReadWriteOncePod"]), volumes.make_claim("logs")])
    assert judged(shared, volumes.view("web", ["data"]), volumes.view("db", ["data"])) == {"w1": "", "w2": ""}
    assert judged(alone, volumes.view("web", ["data"]), volumes.view("db", ["logs"])) == {"w1": "", "w2": ""}


def test_pod_of_another_namespace_uses_another_claim() -> None:
    known = volumes.stored([volumes.make_claim(modes=["ReadWriteOncePod"])])
    manifest = volumes.make_pod("db", ["data"])
    manifest["metadata"]["namespace"] = "elsewhere"
    assert judged(known, volumes.view("web", ["data"]), pods.read(manifest)) == {"w1": "", "w2": ""}


def test_ephemeral_volume_that_made_the_claim_does_not_count_as_its_use() -> None:
    known = volumes.stored([volumes.make_claim("db-data", modes=["ReadWriteOncePod"])])
    pod, owner = volumes.view("web", ["db-data"]), volumes.view("db", ephemeral=["data"])
    assert judged(known, pod, owner) == {"w1": "", "w2": ""}


def test_missing_claim_is_an_objection_but_that_of_an_ephemeral_volume_is_others_business() -> None:
    missing = 'persistentvolumeclaim "data" not found'
    assert judged(volumes.stored(), volumes.view("web", ["data"])) == {"w1": missing, "w2": missing}
    assert judged(volumes.stored(), volumes.view("web", ephemeral=["data"])) == {"w1": "", "w2": ""}


def test_disk_that_a_pod_names_itself_is_taken_on_its_node_only() -> None:
    pod, other = volumes.view("web", disks=[EBS]), volumes.view("db", disks=[EBS])
    assert judged(volumes.stored(), pod, other) == {"w1": NO_DISK, "w2": ""}


def test_disk_comes_before_a_claim_in_use() -> None:
    known = volumes.stored([volumes.make_claim(modes=["ReadWriteOncePod"])])
    pod, other = (volumes.view(name, ["data"], disks=[EBS]) for name in ("web", "db"))
    assert judged(known, pod, other) == {"w1": NO_DISK, "w2": IN_USE}


def test_pod_without_volumes_asks_nothing() -> None:
    assert restrictions.for_pod(volumes.view(), volumes.cluster(volumes.stored())) is None
