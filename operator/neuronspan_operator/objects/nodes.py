"""Reads Node manifests, and says which nodes give NeuronCores to no pod. Which pod may be where: see ``scheduling``."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from neuronspan import names
from neuronspan_operator.objects.constraints import amounts, tolerations


@dataclasses.dataclass(frozen=True, slots=True)
class NodeView:
    """What the planner knows of one node."""

    name: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taints: tuple[tolerations.Taint, ...] = ()
    ready: bool = False
    unschedulable: bool = False  # cordoned
    draining: bool = False  # its NeuronPool is being deleted
    deleted: bool = False
    allocatable: amounts.Amounts = dataclasses.field(default_factory=dict)
    features: frozenset[str] = frozenset()  # what its kubelet declares

    @property
    def hostname(self) -> str:
        """The value that a node selector on kubernetes.io/hostname must have."""
        return self.labels.get(names.HOSTNAME_LABEL, self.name)


def read(manifest: Mapping[str, Any]) -> NodeView:
    """Read a Node as the API server sends it."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    return NodeView(
        name=metadata.get("name", ""),
        labels=metadata.get("labels") or {},
        taints=tuple(tolerations.read_taint(raw) for raw in spec.get("taints") or ()),
        ready=any(
            (each.get("type"), each.get("status")) == ("Ready", "True") for each in status.get("conditions") or ()
        ),
        unschedulable=bool(spec.get("unschedulable")),
        deleted="deletionTimestamp" in metadata,
        allocatable=amounts.of_node(status.get("allocatable")),
        features=frozenset(status.get("declaredFeatures") or ()),
    )


# --- may this pod run there? Equal reasons are equal texts: they are counted over nodes ------------------------------


def unavailable(node: NodeView) -> str | None:
    """Say why no new pod can use cores of this node; whether it is cordoned depends on what the pod tolerates."""
    if node.deleted:
        return "being deleted"
    if node.draining:
        return "of a NeuronPool that is being deleted"
    if not node.ready:
        return "not Ready"
    if node.allocatable.get(names.CORE_RESOURCE, 0) < 1:
        return "without allocatable NeuronCores (is the device plugin running?)"
    return None
