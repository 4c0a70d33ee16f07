"""Volumes, claims and their classes at random. No controller runs here: what they would have written is drawn too."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from oracle.drawn import drawing

Manifest = drawing.Manifest

DRIVER: Final = "csi.example.com"
_COUNTED_DRIVER: Final = "counted.example.com"  # tells its capacity
_EBS_PLUGIN: Final = "kubernetes.io/aws-ebs"
_EBS_DRIVER: Final = "ebs.csi.aws.com"
_NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
_GIB: Final = 1024


@dataclasses.dataclass(frozen=True)
class Storage:
    """Manifests by kind; those of claims and volumes have a status."""

    classes: tuple[Manifest, ...] = ()
    drivers: tuple[Manifest, ...] = ()
    capacities: tuple[Manifest, ...] = ()
    csi_nodes: tuple[Manifest, ...] = ()
    volumes: tuple[Manifest, ...] = ()
    claims: tuple[Manifest, ...] = ()
    attachments: tuple[Manifest, ...] = ()
    ending: frozenset[str] = frozenset()  # claims that are being deleted

    def claim_names(self) -> tuple[tuple[str, str], ...]:
        """Return namespace and name of each claim."""
        return tuple((claim["metadata"]["namespace"], claim["metadata"]["name"]) for claim in self.claims)

    def claims_in(self, namespace: str) -> list[str]:
        """Return the names of a namespace's claims that have a volume: what pods with a node use."""
        return [
            claim["metadata"]["name"]
            for claim in self.claims
            if claim["metadata"]["namespace"] == namespace and claim["spec"].get("volumeName")
        ]


NONE: Final = Storage()


@dataclasses.dataclass(frozen=True)
class _Maker:
    draw: drawing.Draw
    prefix: str

    def classes(self) -> Iterator[Manifest]:
        zones = [{"matchLabelExpressions": [{"key": drawing.ZONE, "values": self.draw.some(drawing.ZONES, 1, 2)}]}]
        if self.draw.maybe(0.5):
            zones[0]["matchLabelExpressions"].append({"key": drawing.RACK, "values": ["1"]})
        wait = "WaitForFirstConsumer"
        yield self._class("static", _NO_PROVISIONER, wait)
        yield self._class("dynamic", DRIVER, wait)
        yield self._class("zoned", DRIVER, wait, allowedTopologies=zones)
        yield self._class("counted", _COUNTED_DRIVER, wait)
        yield self._class("immediate", DRIVER, "Immediate")
        yield self._class("ebs", _EBS_PLUGIN, wait)

    def _class(self, name: str, provisioner: str, mode: str, **more: Any) -> Manifest:
        metadata = {"name": self.class_name(name)}
        return {"metadata": metadata, "provisioner": provisioner, "volumeBindingMode": mode, **more}

    def class_name(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def csi_node(self, node: str) -> Manifest:
        drivers: list[Manifest] = []
        if self.draw.maybe(0.8):
            limit = {"allocatable": {"count": self.draw.choice((1, 1, 2, 3))}} if self.draw.maybe(0.7) else {}
            drivers.append({"name": DRIVER, "nodeID": node, "topologyKeys": [drawing.ZONE], **limit})
        if self.draw.maybe(0.7):
            ebs = {"name": _EBS_DRIVER, "nodeID": node, "topologyKeys": [drawing.DRIVER_ZONE]}
            drivers.append({**ebs, "allocatable": {"count": self.draw.choice((1, 2))}})
        migrated = {"storage.alpha.kubernetes.io/migrated-plugins": _EBS_PLUGIN} if self.draw.maybe(0.7) else {}
        return {"metadata": {"name": node, "annotations": migrated}, "spec": {"drivers": drivers}}

    def capacity(self, index: int) -> Manifest:
        selector = {"matchLabels": {drawing.ZONE: self.draw.choice(drawing.ZONES)}}
        sizes = {"capacity": self.draw.choice(("1Gi", "8Gi"))}
        if self.draw.maybe(0.3):
            sizes["maximumVolumeSize"] = self.draw.choice(("1Gi", "4Gi"))
        return {
            "metadata": {"name": f"{self.prefix}-{index}", "namespace": drawing.NAMESPACES[0]},
            "storageClassName": self.class_name("counted"),
            **({"nodeTopology": selector} if self.draw.maybe(0.9) else {}),
            **sizes,
        }

    def volume(self, name: str, size: int, **spec: Any) -> Manifest:
        """Draw a volume of so many MiB; sizes differ, or which one is the smallest would be left to chance."""
        labels = {"set": self.draw.choice(("x", "y"))} if self.draw.maybe(0.5) else {}
        if self.draw.maybe(0.2):
            labels[drawing.ZONE] = self.draw.choice((*drawing.ZONES, "a__b", "a__b"))
        affinity = {"nodeAffinity": {"required": self._where()}} if self.draw.maybe(0.6) else {}
        source: Manifest = {"csi": {"driver": DRIVER, "volumeHandle": f"handle-{name}"}}
        if self.draw.maybe(0.3):
            source = {"awsElasticBlockStore": {"volumeID": f"aws://a/vol-{name}"}}
        made = {"capacity": {"storage": f"{size}Mi"}, "accessModes": ["ReadWriteOnce"], **source, **affinity}
        return {
            "metadata": {"name": name, "labels": labels},
            "spec": {**made, **spec},
            "status": {"phase": "Available"},
        }

    def _where(self) -> Manifest:
        key, values = self.draw.choice(((drawing.ZONE, drawing.ZONES), (drawing.RACK, ("1", "2"))))
        expression = {"key": key, "operator": "In", "values": self.draw.some(values, 1, 2)}
        return {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}

    def bound(self, index: int) -> tuple[Manifest, Manifest | None]:
        """Draw a claim that is bound, and its volume; now and then the volume is gone."""
        # claims of different namespaces may have one name, volumes may not
        name, namespace = f"{self.prefix}-bound-{index // 2}", drawing.NAMESPACES[index % 2]
        volume_name = f"{name}-{namespace}"
        modes = self.draw.choice((["ReadWriteOnce"], ["ReadWriteOncePod"], ["ReadWriteMany"]))
        named = {"storageClassName": self.class_name(self.draw.choice(("dynamic", "immediate"))), "accessModes": modes}
        reference = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": "0"}
        volume = self.volume(volume_name, 5 * _GIB + index, **named, claimRef=reference)
        volume["status"] = {"phase": "Bound"}
        claim = self._claim(name, namespace, 5 * _GIB, volumeName=volume_name, **named)
        claim["metadata"]["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"}
        claim["status"] = {"phase": "Bound"}
        if self.draw.maybe(0.04):
            claim["status"] = {"phase": "Lost"}
        return claim, None if self.draw.maybe(0.05) else volume

    def _claim(self, name: str, namespace: str, size: int, **spec: Any) -> Manifest:
        made = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": f"{size}Mi"}}, **spec}
        metadata = {"name": name, "namespace": namespace}
        return {"metadata": metadata, "spec": made, "status": {"phase": "Pending"}}

    def unbound(self, index: int, nodes: Sequence[Manifest]) -> Manifest:
        """Draw a claim that waits for its volume."""
        kind = self.draw.choice(("static",) * 6 + ("dynamic", "zoned", "zoned", "counted", "counted", "ebs"))
        if self.draw.maybe(0.04):
            kind = self.draw.choice(("immediate", "unknown", ""))
        size = self.draw.choice((1, 2, 4, 6)) * _GIB + index
        name, namespace = f"{self.prefix}-claim-{index}", self.draw.mostly(drawing.NAMESPACES)
        claim = self._claim(name, namespace, size, storageClassName=self.class_name(kind) if kind else "")
        if kind == "static" and self.draw.maybe(0.3):
            claim["spec"]["selector"] = {"matchLabels": {"set": self.draw.choice(("x", "y"))}}
        if kind == "static" and self.draw.maybe(0.2):
            claim["spec"]["accessModes"] = self.draw.choice((["ReadWriteMany"], ["ReadWriteOncePod"]))
        if kind == "static" and self.draw.maybe(0.1):
            claim["spec"]["volumeMode"] = "Block"
        if kind == "static" and self.draw.maybe(0.1):
            claim["spec"]["volumeAttributesClassName"] = "gold"
        if kind in {"dynamic", "zoned", "counted"} and self.draw.maybe(0.15):
            selected = self.draw.choice(nodes)["metadata"]["name"]
            claim["metadata"]["annotations"] = {"volume.kubernetes.io/selected-node": selected}
        return claim

    def available(self, index: int, claims: Sequence[Manifest]) -> Manifest:
        """Draw a volume that nobody has; now and then it is kept for a claim."""
        modes = self.draw.choice((["ReadWriteOnce"], ["ReadWriteOnce", "ReadWriteMany"], ["ReadWriteOncePod"]))
        named: Manifest = {"storageClassName": self.class_name("static"), "accessModes": modes}
        if self.draw.maybe(0.1):
            named["volumeMode"] = "Block"
        volume = self.volume(
            f"{self.prefix}-free-{index}", self.draw.choice((1, 2, 4, 8)) * _GIB + 100 + index, **named
        )
        if "csi" in volume["spec"] and self.draw.maybe(0.2):
            volume["spec"]["volumeAttributesClassName"] = "gold"
        if claims and self.draw.maybe(0.15):
            metadata = self.draw.choice(claims)["metadata"]
            volume["spec"]["claimRef"] = {"namespace": metadata["namespace"], "name": metadata["name"]}
        if self.draw.maybe(0.1):
            volume["status"] = {"phase": self.draw.choice(("Released", "Pending"))}
        return volume


def draw_storage(draw: drawing.Draw, prefix: str, nodes: Sequence[Manifest]) -> Storage:
    """Draw volumes and claims for these nodes."""
    make = _Maker(draw, prefix)
    bound = [make.bound(index) for index in range(draw.randint(3, 7))]
    unbound = [make.unbound(index, nodes) for index in range(draw.randint(4, 9))]
    free = [make.available(index, unbound) for index in range(draw.randint(1, 8))]
    taken = [volume for _, volume in bound if volume is not None]
    claims = (*(claim for claim, _ in bound), *unbound)
    names = [node["metadata"]["name"] for node in nodes]
    return Storage(
        classes=tuple(make.classes()),
        drivers=({"metadata": {"name": _COUNTED_DRIVER}, "spec": {"storageCapacity": True}},),
        capacities=tuple(make.capacity(index) for index in range(draw.randint(0, 3))),
        csi_nodes=tuple(make.csi_node(name) for name in names if draw.maybe(0.8)),
        volumes=(*taken, *free),
        claims=claims,
        attachments=tuple(
            _attachment(volume["metadata"]["name"], draw.choice(names)) for volume in taken if draw.maybe(0.15)
        ),
        ending=frozenset(claim["metadata"]["name"] for claim in claims if draw.maybe(0.04)),
    )


def _attachment(volume: str, node: str) -> Manifest:
    source = {"persistentVolumeName": volume}
    return {"metadata": {"name": f"{volume}-at"}, "spec": {"attacher": DRIVER, "nodeName": node, "source": source}}
