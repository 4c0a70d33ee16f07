"""The volumes of a pod that have a say in where it may be.

Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/{volumebinding,volumerestrictions,nodevolumelimits}.
"""

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any, Final


@dataclasses.dataclass(frozen=True, slots=True)
class ClaimRef:
    """A claim that a pod uses; ``ephemeral`` ones are made for the pod, which must own them."""

    name: str
    ephemeral: bool = False


class DiskKind(enum.StrEnum):
    """The kinds of disks that a pod can name without a claim, and that pods of one node cannot share freely."""

    EBS = "awsElasticBlockStore"
    GCE = "gcePersistentDisk"
    ISCSI = "iscsi"
    RBD = "rbd"


_KINDS: Final = frozenset(map(str, DiskKind))


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """A disk that a pod names itself; ``servers`` are the monitors of an RBD image, others have none."""

    kind: DiskKind
    name: str
    read_only: bool = False
    servers: frozenset[str] = frozenset()

    def clashes(self, other: "Disk") -> bool:
        """Whether two pods with these disks cannot be on one node: an EBS disk is never shared, others for reading."""
        if (self.kind, self.name) != (other.kind, other.name):
            return False
        if self.kind is DiskKind.RBD and not self.servers & other.servers:
            return False
        return self.kind is DiskKind.EBS or not (self.read_only and other.read_only)


def read(spec: Mapping[str, Any], pod_name: str) -> tuple[ClaimRef, ...]:
    """Read the claims of a pod's volumes."""
    found = []
    for raw in spec.get("volumes") or ():
        if raw.get("persistentVolumeClaim"):
            found.append(ClaimRef(raw["persistentVolumeClaim"].get("claimName", "")))
        elif "ephemeral" in raw:
            found.append(ClaimRef(f"{pod_name}-{raw.get('name', '')}", ephemeral=True))
    return tuple(found)


def read_disks(spec: Mapping[str, Any]) -> tuple[Disk, ...]:
    """Read the disks that a pod's volumes name without a claim."""
    volumes = spec.get("volumes") or ()
    return tuple(disk for raw in volumes if not _KINDS.isdisjoint(raw) for disk in _disks(raw))


def _disks(volume: Mapping[str, Any]) -> Iterator[Disk]:
    for kind in DiskKind:
        raw = volume.get(kind)
        if raw:
            servers = frozenset(raw.get("monitors") or ())
            yield Disk(kind, _disk_name(kind, raw), bool(raw.get("readOnly")), servers)


def _disk_name(kind: DiskKind, raw: Mapping[str, Any]) -> str:
    match kind:
        case DiskKind.EBS:
            return str(raw.get("volumeID", ""))
        case DiskKind.GCE:
            return str(raw.get("pdName", ""))
        case DiskKind.ISCSI:
            return str(raw.get("iqn", ""))
        case DiskKind.RBD:
            return f"{raw.get('pool') or 'rbd'}/{raw.get('image', '')}"
