"""Keyword builders of claims, volumes and what goes with them, as the API server would send them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kits.manifests import builders, clusters
from neuronspan_agent import resources
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.objects.constraints.volumes import claims as claim_values
from neuronspan_operator.objects.constraints.volumes import classes as class_values
from neuronspan_operator.objects.constraints.volumes import csi, persistent_volumes
from neuronspan_operator.scheduling import cluster_state

Manifest = dict[str, Any]

DRIVER = "ebs.csi.aws.com"


def make_claim(
    name: str = "data",
    *,
    of_class: str = "slow",
    volume: str = "",
    bound: bool = False,
    selected: str = "",
    size: str = "1Gi",
    modes: Sequence[str] = ("ReadWriteOnce",),
    owner: str = "",
    deleted: bool = False,
    phase: str = "Pending",
    selector: Mapping[str, Any] | None = None,
    mode: str = "",
    attributes: str = "",
    version: str = "1",
) -> Manifest:
    """A claim; ``bound`` means that the controller has finished its binding, ``owner`` is the UID of a pod."""
    notes = {"volume.kubernetes.io/selected-node": selected, "pv.kubernetes.io/bind-completed": "yes" if bound else ""}
    metadata: Manifest = {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version}
    metadata["annotations"] = {key: value for key, value in notes.items() if value}
    if owner:
        metadata["ownerReferences"] = [{"kind": "Pod", "name": "web", "uid": owner, "controller": True}]
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-31T09:00:00Z"
    optional = {
        "volumeName": volume,
        "volumeMode": mode,
        "volumeAttributesClassName": attributes,
        "selector": selector,
        "resources": {"requests": {"storage": size}} if size else {},
    }
    spec: Manifest = {"accessModes": list(modes), "storageClassName": of_class}
    spec |= {field: value for field, value in optional.items() if value}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


def make_volume(
    name: str = "pv-1",
    *,
    of_class: str = "slow",
    size: str = "1Gi",
    zones: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
    modes: Sequence[str] = ("ReadWriteOnce",),
    claim: str = "",
    claim_uid: str = "",
    phase: str = "Available",
    deleted: bool = False,
    mode: str = "",
    attributes: str = "",
    handle: str = "",
    ebs: str = "",
    version: str = "1",
) -> Manifest:
    """A volume; ``zones`` are those of its node affinity, ``handle`` its name with DRIVER, ``ebs`` a built-in disk."""
    metadata: Manifest = {"name": name, "resourceVersion": version, "labels": dict(labels or {})}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-31T09:00:00Z"
    zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": list(zones)}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}}
    holder = {"namespace": "default", "name": claim} | ({"uid": claim_uid} if claim_uid else {})
    optional = {
        "nodeAffinity": affinity if zone["values"] else None,
        "claimRef": holder if claim else None,
        "volumeMode": mode,
        "volumeAttributesClassName": attributes,
        "csi": {"driver": DRIVER, "volumeHandle": handle} if handle else None,
        "awsElasticBlockStore": {"volumeID": ebs} if ebs else None,
    }
    spec: Manifest = {"capacity": {"storage": size}, "accessModes": list(modes), "storageClassName": of_class}
    spec |= {field: value for field, value in optional.items() if value}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


def make_class(
    name: str = "slow",
    *,
    provisioner: str = "kubernetes.io/no-provisioner",
    immediate: bool = False,
    zones: Iterable[str] = (),
) -> Manifest:
    """A class whose claims wait for their first pod; ``zones`` are where its volumes can be made."""
    binding = "Immediate" if immediate else "WaitForFirstConsumer"
    manifest: Manifest = {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": binding}
    allowed = {"key": "topology.kubernetes.io/zone", "values": list(zones)}
    if allowed["values"]:
        manifest["allowedTopologies"] = [{"matchLabelExpressions": [allowed]}]
    return manifest


def make_csi_node(name: str = "w1", *, limit: int | None = None, migrated: str = "") -> Manifest:
    """A node with DRIVER, and the plugins that drivers have taken over from."""
    driver: Manifest = {"name": DRIVER, "nodeID": name}
    if limit is not None:
        driver["allocatable"] = {"count": limit}
    notes = {"storage.alpha.kubernetes.io/migrated-plugins": migrated} if migrated else {}
    return {"metadata": {"name": name, "annotations": notes}, "spec": {"drivers": [driver]}}


def make_csi_driver(*, tracks: bool = True) -> Manifest:
    """Return DRIVER."""
    return {"metadata": {"name": DRIVER}, "spec": {"storageCapacity": tracks}}


def make_capacity(zone: str, *, of_class: str = "fast", capacity: str = "", largest: str = "") -> Manifest:
    """What DRIVER has left in a zone."""
    sizes = {"capacity": capacity, "maximumVolumeSize": largest}
    return {
        "metadata": {"name": f"{of_class}-{zone}", "namespace": "kube-system"},
        "storageClassName": of_class,
        "nodeTopology": {"matchLabels": {"topology.kubernetes.io/zone": zone}},
        **{field: size for field, size in sizes.items() if size},
    }


def make_attachment(volume: str, node: str = "w1") -> Manifest:
    """A volume that DRIVER has attached to a node."""
    source = {"persistentVolumeName": volume}
    return {
        "metadata": {"name": f"{volume}-{node}"},
        "spec": {"attacher": DRIVER, "nodeName": node, "source": source},
    }


# --- what the filters read -------------------------------------------------------------------------------------------


def stored(
    claims: Iterable[Manifest] = (),
    volumes: Iterable[Manifest] = (),
    classes: Iterable[Manifest] | None = None,
    *,
    csi_nodes: Iterable[Manifest] = (),
    drivers: Iterable[Manifest] = (),
    capacities: Iterable[Manifest] = (),
    attachments: Iterable[Manifest] = (),
) -> storage.Storage:
    """Return what these manifests say; by default with a class of each kind: slow, fast (provisioned) and at-once."""
    known = default_classes() if classes is None else classes
    return storage.Storage(
        claims={resources.full_name(each): claim_values.read(each) for each in claims},
        volumes={resources.name_of(each): persistent_volumes.read(each) for each in volumes},
        classes={resources.name_of(each): class_values.read(each) for each in known},
        driver_nodes={resources.name_of(each): csi.read_node(each) for each in csi_nodes},
        drivers={resources.name_of(each): csi.read_driver(each) for each in drivers},
        capacities={resources.full_name(each): csi.read_capacity(each) for each in capacities},
        attachments={resources.name_of(each): csi.read_attachment(each) for each in attachments},
    )


def default_classes() -> list[Manifest]:
    """Return slow, whose volumes people make; fast, whose volumes DRIVER makes; at-once, whose claims do not wait."""
    return [
        make_class("slow"),
        make_class("fast", provisioner=DRIVER),
        make_class("at-once", provisioner=DRIVER, immediate=True),
    ]


def make_pod(
    name: str = "web", claims: Iterable[str] = (), *, ephemeral: Iterable[str] = (), disks: Iterable[Manifest] = ()
) -> Manifest:
    """A pod with volumes of these claims, ephemeral ones of these names, and disks that it names itself."""
    manifest = builders.make_pod(name, cores=4, gates=())
    named: list[Manifest] = [{"name": f"claim-{each}", "persistentVolumeClaim": {"claimName": each}} for each in claims]
    named += [{"name": each, "ephemeral": {"volumeClaimTemplate": {}}} for each in ephemeral]
    named += [{"name": f"disk-{number}", **each} for number, each in enumerate(disks)]
    manifest["spec"]["volumes"] = named
    return manifest


def view(name: str = "web", claims: Iterable[str] = (), **volumes: Any) -> pods.PodView:
    """Return ``make_pod`` as it is read."""
    return pods.read(make_pod(name, claims, **volumes))


def cluster(known: storage.Storage, **zones: str) -> cluster_state.Cluster:
    """Return a cluster of nodes in these zones; without any, of the one node w1 in zone a."""
    found = [
        nodes.read(builders.make_node(name, labels={"topology.kubernetes.io/zone": zone} if zone else {}))
        for name, zone in (zones or {"w1": "a"}).items()
    ]
    return cluster_state.Cluster(found, {}, known)


def verdicts(found: Any, where: cluster_state.Cluster) -> dict[str, str]:
    """Return what a filter says against each node, "" when nothing; no filter says nothing."""
    return dict.fromkeys(where.nodes, "") | clusters.verdicts(found, where)
