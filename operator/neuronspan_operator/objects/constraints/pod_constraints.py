"""All that a pod says about where it may be, and what it means for others once it is there."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects.constraints import (
    host_ports,
    node_terms,
    pod_terms,
    pod_volumes,
    spreads,
    tolerations,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Constraints:
    """What the filters of ``scheduling`` read of a pod; amounts of resources are in ``pods.PodView.amounts``."""

    node_selector: Mapping[str, str] = dataclasses.field(default_factory=dict)
    node_affinity: node_terms.NodeAffinity = node_terms.NodeAffinity()
    tolerations: tuple[tolerations.Toleration, ...] = ()
    host_ports: tuple[host_ports.HostPort, ...] = ()
    pod_affinity: pod_terms.PodAffinity = pod_terms.NONE
    spread: tuple[spreads.SpreadConstraint, ...] = ()
    claims: tuple[pod_volumes.ClaimRef, ...] = ()
    disks: tuple[pod_volumes.Disk, ...] = ()


NONE: Final = Constraints()


def read(manifest: Mapping[str, Any]) -> Constraints:
    """Read everything: for pods that are going to be placed."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    labels, namespace = metadata.get("labels") or {}, metadata.get("namespace", "default")
    affinity = spec.get("affinity") or {}
    return Constraints(
        node_selector=spec.get("nodeSelector") or {},
        node_affinity=node_terms.read(affinity.get("nodeAffinity")),
        tolerations=tolerations.read(spec.get("tolerations")),
        host_ports=host_ports.read(spec),
        pod_affinity=pod_terms.read(affinity, namespace, labels),
        spread=spreads.read(spec.get("topologySpreadConstraints"), labels),
        claims=pod_volumes.read(spec, metadata.get("name", "")),
        disks=pod_volumes.read_disks(spec),
    )


def read_placed(manifest: Mapping[str, Any]) -> Constraints:
    """Read what a pod that has its node means for others; what it wanted of the node does not matter any more."""
    metadata, spec = manifest.get("metadata") or {}, manifest.get("spec") or {}
    labels, namespace = metadata.get("labels") or {}, metadata.get("namespace", "default")
    return Constraints(
        host_ports=host_ports.read(spec),
        pod_affinity=pod_terms.read(spec.get("affinity"), namespace, labels),
        claims=pod_volumes.read(spec, metadata.get("name", "")),
        disks=pod_volumes.read_disks(spec),
    )
