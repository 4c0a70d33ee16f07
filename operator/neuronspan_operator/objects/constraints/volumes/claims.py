"""PersistentVolumeClaims, and which objects they are controlled by.

Source: k8s.io/component-helpers/storage/volume/{helpers,pv_helpers}.go and .../storage/ephemeral/ephemeral.go.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from neuronspan_operator.objects import quantities
from neuronspan_operator.objects.constraints import selectors

SELECTED_NODE: Final = "volume.kubernetes.io/selected-node"
"""Annotation of a claim: a volume is to be made that this node can reach."""
BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
"""Annotation of a claim whose binding the controller has finished."""
BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
"""Annotation of claims and volumes that still comes before the field."""
FILESYSTEM: Final = "Filesystem"
READ_WRITE_ONCE_POD: Final = "ReadWriteOncePod"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What a claim asks for, and how far its binding is; sizes are in bytes."""

    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    volume_name: str = ""
    bound: bool = False  # the controller has finished the binding to ``volume_name``
    lost: bool = False  # its volume is gone
    deleted: bool = False
    controller: str = ""  # UID of the object that controls it, a pod's for ephemeral volumes
    class_name: str = ""
    attributes_class: str = ""
    modes: tuple[str, ...] = ()
    mode: str = FILESYSTEM
    requested: int = 0
    sized: bool = False  # whether it names a size at all
    selector: selectors.LabelSelector = selectors.EVERYTHING
    selected_node: str = ""

    @property
    def key(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def once_per_pod(self) -> bool:
        """Whether a single pod of the cluster may use it."""
        return READ_WRITE_ONCE_POD in self.modes

    @property
    def settled(self) -> bool:
        """Whether it has its volume for good."""
        return self.bound and bool(self.volume_name)


def read(manifest: Mapping[str, Any]) -> Claim:
    """Read a PersistentVolumeClaim as the API server sends it."""
    metadata, spec, status = manifest.get("metadata") or {}, manifest.get("spec") or {}, manifest.get("status") or {}
    annotations = metadata.get("annotations") or {}
    size = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    return Claim(
        namespace=metadata.get("namespace", "default"),
        name=metadata.get("name", ""),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        volume_name=spec.get("volumeName") or "",
        bound=BIND_COMPLETED in annotations,
        lost=status.get("phase") == "Lost",
        deleted="deletionTimestamp" in metadata,
        controller=controller_uid(metadata),
        class_name=class_of(annotations, spec),
        attributes_class=spec.get("volumeAttributesClassName") or "",
        modes=tuple(spec.get("accessModes") or ()),
        mode=spec.get("volumeMode") or FILESYSTEM,
        requested=0 if size is None else quantities.whole(size),
        sized=size is not None,
        selector=selectors.EVERYTHING if spec.get("selector") is None else selectors.read(spec["selector"]),
        selected_node=annotations.get(SELECTED_NODE, ""),
    )


def class_of(annotations: Mapping[str, str], spec: Mapping[str, Any]) -> str:
    """Return the name of the class of a claim or a volume, "" without one."""
    return annotations.get(BETA_CLASS, spec.get("storageClassName") or "")


def controller_uid(metadata: Mapping[str, Any]) -> str:
    """Return the UID of the object's controller, "" without one."""
    owners = (owner.get("uid", "") for owner in metadata.get("ownerReferences") or () if owner.get("controller"))
    return str(next(owners, ""))
