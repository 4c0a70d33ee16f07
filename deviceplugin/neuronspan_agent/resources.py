"""The kinds of objects the agents read or write: where they are served, what their keys are, which is older. Pure."""

import dataclasses
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

from neuronspan import names


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """One kind of object as the API server addresses it; ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """URL path of the collection (of one namespace or of all), an object, or its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = ["namespaces", namespace] if namespace else []
        parts = [*scope, self.plural, *([name] if name else []), *([subresource] if subresource else [])]
        return "/".join([root, *(urllib.parse.quote(part, safe="") for part in parts)])

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Resource("", "v1", "pods")
NODES = Resource("", "v1", "nodes")
NAMESPACES = Resource("", "v1", "namespaces")
EVENTS = Resource("", "v1", "events")
LEASES = Resource("coordination.k8s.io", "v1", "leases")
CLAIMS = Resource("", "v1", "persistentvolumeclaims")
VOLUMES = Resource("", "v1", "persistentvolumes")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses")
CSI_NODES = Resource("storage.k8s.io", "v1", "csinodes")
CSI_DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers")
CSI_CAPACITIES = Resource("storage.k8s.io", "v1", "csistoragecapacities")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets")
VOLUME_ATTACHMENTS = Resource("storage.k8s.io", "v1", "volumeattachments")
SECRETS = Resource("", "v1", "secrets")
MUTATING_WEBHOOKS = Resource("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations")
VALIDATING_WEBHOOKS = Resource("admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations")
NEURON_NODES = Resource(names.GROUP, names.VERSION, names.NEURON_NODES)
NEURON_POOLS = Resource(names.GROUP, names.VERSION, names.NEURON_POOLS)


@dataclasses.dataclass(frozen=True, slots=True)
class Selector:
    """Which objects of a collection the server sends; empty texts mean all of them."""

    labels: str = ""
    fields: str = ""
    namespace: str = ""

    def query(self) -> dict[str, str]:
        """Query parameters of list and watch."""
        pairs = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {name: value for name, value in pairs.items() if value}


EVERYTHING = Selector()


_MIRROR: Final = "kubernetes.io/config.mirror"
_HASH: Final = "kubernetes.io/config.hash"
_STATIC_UID: Final = re.compile("[0-9a-f]{32}")
"""A hash of node, file and content. The API server's UIDs have dashes, so a forged mirror can claim none of them."""


def pod_uid_of(manifest: Mapping[str, Any]) -> str:
    """Key of pods, whose names may be used again by others at once: the UID by which kubelet knows the pod.

    A static pod, which kubelet runs from a file of its node, has a UID that its control groups, its devices and its
    grants know. The mirror by which the API server shows it has another one, comes later, and may be deleted and made
    anew while the pod runs on. Source: k8s.io/kubernetes pkg/kubelet/config/common.go (applyDefaults) and
    pkg/kubelet/pod/mirror_client.go.
    """
    metadata = manifest.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    found = annotations.get(_HASH)
    if _MIRROR in annotations and isinstance(found, str) and is_static(found) and _is_of_its_node(manifest):
        return found
    return str(metadata.get("uid", ""))


def is_static(pod_uid: str) -> bool:
    """Whether a pod of this UID is one of a file."""
    return _STATIC_UID.fullmatch(pod_uid) is not None


def _is_of_its_node(manifest: Mapping[str, Any]) -> bool:
    node = (manifest.get("spec") or {}).get("nodeName")
    owners = manifest["metadata"].get("ownerReferences") or ()
    return any((owner.get("kind"), owner.get("name")) == ("Node", node) for owner in owners)


def name_of(manifest: Mapping[str, Any]) -> str:
    """Key of cluster-scoped objects."""
    return str(manifest["metadata"]["name"])


def full_name(manifest: Mapping[str, Any]) -> str:
    """Return name, and namespace before it, as kubectl users write them."""
    metadata = manifest["metadata"]
    return "/".join(metadata[each] for each in ("namespace", "name") if metadata.get(each))


def is_older(seen: str, written: str, before: str = "") -> bool:
    """Whether ``seen`` precedes ``written``. Versions are numbers; of any others only ``before`` is known to be older.

    Kubernetes declares resourceVersions of one resource comparable as integers:
    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    if seen.isdecimal() and written.isdecimal():
        return int(seen) < int(written)
    return seen == before
