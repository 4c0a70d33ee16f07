"""The kinds of objects that are served: those that are built in, and what a CustomResourceDefinition declares."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

CRD = "customresourcedefinitions"


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object; ``group`` is empty for the core group."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    generations: bool = False  # whether a change of spec counts up metadata.generation
    short: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = dataclasses.field(default=None, compare=False)  # of custom resources
    categories: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """How messages name it: plural and group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def full_name(self) -> str:
        """Name and group, as the refusal of an invalid object names it."""
        return f"{self.name}.{self.group}" if self.group else self.name

    @property
    def api_version(self) -> str:
        """Group and version as manifests spell them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def is_custom(self) -> bool:
        """Whether a CustomResourceDefinition declares it."""
        return self.schema is not None


_STATUS = ("status",)
_SCALED = ("status", "scale")


def _core(plural: str, name: str, *short: str, namespaced: bool = True, sub: tuple[str, ...] = ()) -> Kind:
    return Kind("", "v1", plural, name, namespaced, sub, short=short, generations=plural == "pods")


def _of(group: str, plural: str, name: str, *short: str, sub: tuple[str, ...] = (), **more: Any) -> Kind:
    return Kind(group, more.pop("version", "v1"), plural, name, subresources=sub, short=short, **more)


_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_STORAGE = "storage.k8s.io"
BUILT_IN: tuple[Kind, ...] = (
    _core("pods", "Pod", "po", sub=("status", "binding", "eviction", "log")),
    _core("nodes", "Node", "no", namespaced=False, sub=_STATUS),
    _core("namespaces", "Namespace", "ns", namespaced=False, sub=("status", "finalize")),
    _core("services", "Service", "svc", sub=_STATUS),
    _core("configmaps", "ConfigMap", "cm"),
    _core("secrets", "Secret"),
    _core("serviceaccounts", "ServiceAccount", "sa"),
    _core("events", "Event", "ev"),
    _core("endpoints", "Endpoints", "ep"),
    _core("persistentvolumes", "PersistentVolume", "pv", namespaced=False, sub=_STATUS),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", "pvc", sub=_STATUS),
    _of("apps", "deployments", "Deployment", "deploy", sub=_SCALED, generations=True),
    _of("apps", "replicasets", "ReplicaSet", "rs", sub=_SCALED, generations=True),
    _of("apps", "statefulsets", "StatefulSet", "sts", sub=_SCALED, generations=True),
    _of("apps", "daemonsets", "DaemonSet", "ds", sub=_STATUS, generations=True),
    _of("batch", "jobs", "Job", sub=_STATUS, generations=True),
    _of("batch", "cronjobs", "CronJob", "cj", sub=_STATUS, generations=True),
    _of("policy", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", sub=_STATUS, generations=True),
    _of("coordination.k8s.io", "leases", "Lease"),
    _of("scheduling.k8s.io", "priorityclasses", "PriorityClass", "pc", namespaced=False, generations=True),
    _of(_STORAGE, "storageclasses", "StorageClass", "sc", namespaced=False),
    _of(_STORAGE, "csinodes", "CSINode", namespaced=False),
    _of(_STORAGE, "csidrivers", "CSIDriver", namespaced=False),
    _of(_STORAGE, "csistoragecapacities", "CSIStorageCapacity"),
    _of(_STORAGE, "volumeattachments", "VolumeAttachment", namespaced=False, sub=_STATUS),
    _of(_RBAC, "roles", "Role"),
    _of(_RBAC, "rolebindings", "RoleBinding"),
    _of(_RBAC, "clusterroles", "ClusterRole", namespaced=False),
    _of(_RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _of(
        _ADMISSION, "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False, generations=True
    ),
    _of(
        _ADMISSION,
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
        generations=True,
    ),
    _of("networking.k8s.io", "networkpolicies", "NetworkPolicy", "netpol", generations=True),
    _of(
        "apiextensions.k8s.io",
        CRD,
        "CustomResourceDefinition",
        "crd",
        "crds",
        namespaced=False,
        sub=_STATUS,
        generations=True,
    ),
)


def declared(definition: Mapping[str, Any]) -> Iterable[Kind]:
    """Yield the kind of each served version of a CustomResourceDefinition."""
    spec = definition["spec"]
    named = spec["names"]
    for version in spec["versions"]:
        if version.get("served"):
            yield Kind(
                spec["group"],
                version["name"],
                named["plural"],
                named["kind"],
                spec["scope"] == "Namespaced",
                tuple(version.get("subresources") or ()),
                generations=True,
                short=tuple(named.get("shortNames") or ()),
                schema=(version.get("schema") or {}).get("openAPIV3Schema") or {},
                categories=tuple(named.get("categories") or ()),
            )


def table(definitions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], Kind]:
    """Return every kind that is served by group, version and plural."""
    custom = (kind for each in definitions for kind in declared(each))
    return {(kind.group, kind.version, kind.plural): kind for kind in (*BUILT_IN, *custom)}
