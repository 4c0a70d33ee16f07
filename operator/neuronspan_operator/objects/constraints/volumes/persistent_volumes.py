"""PersistentVolumes: who has them, and from where they can be reached.

Source: k8s.io/component-helpers/storage/volume/{helpers,pv_helpers}.go.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects import quantities
from neuronspan_operator.objects.constraints import node_terms
from neuronspan_operator.objects.constraints.volumes import claims, migration

BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
"""Annotation of a volume that was bound for a claim, not by a user; the controller may undo that."""


@dataclasses.dataclass(frozen=True, slots=True)
class Holder:
    """The claim that has, or is to have, a volume; without a UID any claim of that name."""

    namespace: str
    name: str
    uid: str = ""

    def is_claim(self, claim: claims.Claim) -> bool:
        """Whether this claim is meant."""
        return (self.namespace, self.name) == (claim.namespace, claim.name) and self.uid in {"", claim.uid}


@dataclasses.dataclass(frozen=True, slots=True)
class Volume:
    """One volume; ``driver`` and ``handle`` name its disk to a CSI driver."""

    name: str
    resource_version: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    class_name: str = ""
    attributes_class: str = ""
    capacity: int = 0
    modes: tuple[str, ...] = ()
    mode: str = claims.FILESYSTEM
    available: bool = False
    deleted: bool = False
    holder: Holder | None = None
    affinity: node_terms.NodeSelector | None = None
    driver: str = ""
    handle: str = ""
    plugin: str = ""  # the built-in plugin that made it, if ``driver`` has taken over from one
    driver_affinity: node_terms.NodeSelector | None = None  # on nodes where it has

    def reachable(self, labels: Mapping[str, str], migrated: frozenset[str] = frozenset()) -> bool:
        """Whether a node with these labels can reach it; ``migrated`` are the plugins that drivers replaced there."""
        affinity = self.driver_affinity if self.plugin and self.plugin in migrated else self.affinity
        return affinity is None or affinity.selects("", labels)


def read(manifest: Mapping[str, Any]) -> Volume:
    """Read a PersistentVolume as the API server sends it."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    labels = metadata.get("labels") or {}
    required = (spec.get("nodeAffinity") or {}).get("required")
    affinity = None if required is None else node_terms.read_selector(required)
    disk, csi = spec.get("awsElasticBlockStore"), spec.get("csi") or {}
    return Volume(
        name=metadata.get("name", ""),
        resource_version=metadata.get("resourceVersion", ""),
        labels=labels,
        class_name=claims.class_of(metadata.get("annotations") or {}, spec),
        attributes_class=spec.get("volumeAttributesClassName") or "",
        capacity=quantities.whole((spec.get("capacity") or {}).get("storage", 0)),
        modes=tuple(spec.get("accessModes") or ()),
        mode=spec.get("volumeMode") or claims.FILESYSTEM,
        available=status.get("phase") == "Available",
        deleted="deletionTimestamp" in metadata,
        holder=_holder(spec.get("claimRef")),
        affinity=affinity,
        driver=migration.DRIVER if disk else csi.get("driver", ""),
        handle=migration.handle(disk.get("volumeID", "")) if disk else csi.get("volumeHandle", ""),
        plugin=migration.PLUGIN if disk else "",
        driver_affinity=migration.affinity(affinity, labels) if disk else None,
    )


def _holder(raw: Mapping[str, Any] | None) -> Holder | None:
    return None if raw is None else Holder(raw.get("namespace", ""), raw.get("name", ""), raw.get("uid") or "")
