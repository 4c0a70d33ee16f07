"""What the API server makes of an object that is created or changed, before it looks at it and stores it."""

import copy
from collections.abc import Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import kinds, pod_defaults, refusals, workload_defaults

Manifest = dict[str, Any]

_SERVERS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName")
"""The fields of metadata that no update changes."""
_BOOKKEEPING = ("managedFields", "selfLink")
_MAPS = ("labels", "annotations")
_LISTS = ("finalizers", "ownerReferences")
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "ReplicaSet": ("replicas",),
    "StatefulSet": ("availableReplicas", "replicas"),
    "DaemonSet": ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"),
    "PodDisruptionBudget": ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"),
}
_NODE_INFO = (
    "architecture",
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "operatingSystem",
    "osImage",
    "systemUUID",
)
_WITH_OWN_STATUS = frozenset({"Node", "Namespace", "PersistentVolume", "PersistentVolumeClaim"})
_CHANGEABLE_IN_PODS = ("activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds")
_NARROWED = ("nodeSelector", "affinity")


def created(kind: kinds.Kind, manifest: Mapping[str, Any], namespace: str, name: str, uid: str, now: str) -> Manifest:
    """Return a new object as it begins, with its identity and its defaults, and without a status of the client's."""
    made = copy.deepcopy(dict(manifest)) if kind.is_custom else without_nothing(manifest)
    made.update(apiVersion=kind.api_version, kind=kind.name)
    metadata = made.setdefault("metadata", {})
    for field in (*_SERVERS, *_BOOKKEEPING, "resourceVersion"):
        if field != "generateName":
            metadata.pop(field, None)
    metadata.update(name=name, uid=uid, creationTimestamp=now)
    if kind.namespaced:
        metadata["namespace"] = namespace
    if kind.generations:
        metadata["generation"] = 1
    if "status" in kind.subresources and kind.name not in _WITH_OWN_STATUS:
        made.pop("status", None)
    _fill(kind, made)
    if kind.name == "Job":
        workload_defaults.select_own_pods(made)
    return tidied(made)


def changed(kind: kinds.Kind, before: Manifest, written: Mapping[str, Any], part: str = "") -> Manifest:
    """Return what an object becomes by a write of it, or of its ``part`` "status"; raises Refusal.

    What belongs to the server stays as it is, and so does the part that is not written here.
    """
    made = copy.deepcopy(dict(written)) if kind.is_custom else without_nothing(written)
    made.update(apiVersion=kind.api_version, kind=kind.name)
    if "status" in kind.subresources:
        made = _of_status(kind, before, made) if part == "status" else _without_status(before, made)
    old, metadata = before["metadata"], made.setdefault("metadata", {})
    for field in _BOOKKEEPING:
        metadata.pop(field, None)
    for field in ("name", "namespace", *_SERVERS, "resourceVersion"):
        metadata.pop(field, None)
        if field in old:
            metadata[field] = old[field]
    _fill(kind, made)
    if kind.generations and not part and _meaning(kind, made) != _meaning(kind, before):
        metadata["generation"] = old.get("generation", 0) + 1
    if kind.name == "Pod" and not part:
        _refuse_pod_changes(before, made)
    return tidied(made)


def tidied(manifest: Manifest) -> Manifest:
    """Return an object without empty maps and lists in its metadata, which are as good as none."""
    metadata = manifest["metadata"]
    for field in (*_MAPS, *_LISTS):
        if field in metadata and not metadata[field]:
            del metadata[field]
    return manifest


def without_nothing(value: Any) -> Any:
    """Return a copy without the fields that are null: for built-in kinds they are as good as left out."""
    if isinstance(value, Mapping):
        return {key: without_nothing(each) for key, each in value.items() if each is not None}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


def _fill(kind: kinds.Kind, made: Manifest) -> None:
    if kind.is_custom:
        return
    if kind.name == "Pod":
        pod_defaults.pod(made.setdefault("spec", {}))
        status = made.setdefault("status", {})
        status.setdefault("phase", "Pending")
        status.setdefault("qosClass", pod_defaults.quality(made["spec"]))
        return
    if kind.name in _TEMPLATED and "spec" not in made:
        raise refusals.invalid(kind.full_name, made["metadata"]["name"], "spec: Required value")
    workload_defaults.fill(kind.name, made)
    if "status" in kind.subresources:
        status = made.setdefault("status", {})
        for field in _COUNTS.get(kind.name, ()):
            status.setdefault(field, 0)
    if kind.name == "Node":
        _node_status(made)


_TEMPLATED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"})


def _node_status(node: Manifest) -> None:
    node.setdefault("spec", {})
    status = node["status"]
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})
    status["nodeInfo"] = {**dict.fromkeys(_NODE_INFO, ""), **(status.get("nodeInfo") or {})}


def _of_status(kind: kinds.Kind, before: Manifest, made: Manifest) -> Manifest:
    """Return the object with another status; of pods and nodes, labels and annotations may change with it."""
    metadata = dict(before["metadata"])
    if not kind.is_custom:
        metadata |= {field: made.get("metadata", {}).get(field, {}) for field in _MAPS}
    kept = {key: copy.deepcopy(value) for key, value in before.items() if key != "status"}
    return {**kept, "metadata": copy.deepcopy(metadata), **({"status": made["status"]} if "status" in made else {})}


def _without_status(before: Manifest, made: Manifest) -> Manifest:
    made.pop("status", None)
    return {**made, **({"status": copy.deepcopy(before["status"])} if "status" in before else {})}


def _meaning(kind: kinds.Kind, manifest: Mapping[str, Any]) -> Any:
    """Return the part of an object whose changes its generation counts."""
    if kind.is_custom:
        return {key: value for key, value in manifest.items() if key not in {"metadata", "status"}}
    return manifest.get("spec")


def _refuse_pod_changes(before: Manifest, made: Manifest) -> None:
    gated = bool(before["spec"].get("schedulingGates"))
    if _fixed(before["spec"], gated=gated) != _fixed(made["spec"], gated=gated):
        fields = (
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
        )
        why = f"pod updates may not change fields other than {fields} (only additions to existing tolerations)"
        raise refusals.invalid("Pod", made["metadata"]["name"], f"spec: Forbidden: {why}")


def _fixed(spec: Mapping[str, Any], *, gated: bool) -> Manifest:
    """Return what no update of a pod changes; its place may become narrower as long as a gate holds it back."""
    free = (*_CHANGEABLE_IN_PODS, *(_NARROWED if gated else ()))
    fixed = {key: value for key, value in spec.items() if key not in free}
    for field in ("containers", "initContainers"):
        fixed[field] = [{**each, "image": ""} for each in spec.get(field) or ()]
    return fixed
