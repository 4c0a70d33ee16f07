"""What CSI drivers say: on which nodes they are, how many volumes fit there, and where they have space left.

Source: k8s.io/api/storage/v1.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects import quantities
from neuronspan_operator.objects.constraints import selectors

_MIGRATED: Final = "storage.alpha.kubernetes.io/migrated-plugins"


@dataclasses.dataclass(frozen=True, slots=True)
class DriverNode:
    """A CSINode: for each driver that has one, the most volumes that may be attached to the node."""

    name: str
    limits: Mapping[str, int] = dataclasses.field(default_factory=dict)
    migrated: frozenset[str] = frozenset()  # built-in plugins that drivers have taken over from


@dataclasses.dataclass(frozen=True, slots=True)
class Driver:
    """A CSIDriver; ``tracks_capacity`` means that it publishes where it has space left."""

    name: str
    tracks_capacity: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Capacity:
    """A CSIStorageCapacity: the largest volume that can be made of a class for some nodes; None when unknown."""

    class_name: str
    largest: int | None = None
    nodes: selectors.LabelSelector = selectors.NOTHING


@dataclasses.dataclass(frozen=True, slots=True)
class Attachment:
    """A VolumeAttachment: a volume that is, or is to be, attached to a node."""

    node: str
    driver: str
    volume_name: str = ""


def read_node(manifest: Mapping[str, Any]) -> DriverNode:
    """Read a CSINode."""
    metadata = manifest.get("metadata") or {}
    drivers = (manifest.get("spec") or {}).get("drivers") or ()
    counts = {each.get("name", ""): (each.get("allocatable") or {}).get("count") for each in drivers}
    plugins = ((metadata.get("annotations") or {}).get(_MIGRATED) or "").split(",")
    return DriverNode(
        name=metadata.get("name", ""),
        limits={driver: count for driver, count in counts.items() if count is not None},
        migrated=frozenset(filter(None, plugins)),
    )


def read_driver(manifest: Mapping[str, Any]) -> Driver:
    """Read a CSIDriver."""
    spec = manifest.get("spec") or {}
    return Driver((manifest.get("metadata") or {}).get("name", ""), bool(spec.get("storageCapacity")))


def read_capacity(manifest: Mapping[str, Any]) -> Capacity:
    """Read a CSIStorageCapacity; the most that fits into one volume says more than what is left in all."""
    size = manifest.get("maximumVolumeSize", manifest.get("capacity"))
    return Capacity(
        class_name=manifest.get("storageClassName", ""),
        largest=None if size is None else quantities.whole(size),
        nodes=selectors.read(manifest.get("nodeTopology")),
    )


def read_attachment(manifest: Mapping[str, Any]) -> Attachment:
    """Read a VolumeAttachment."""
    spec = manifest.get("spec") or {}
    source = spec.get("source") or {}
    return Attachment(spec.get("nodeName", ""), spec.get("attacher", ""), source.get("persistentVolumeName") or "")
