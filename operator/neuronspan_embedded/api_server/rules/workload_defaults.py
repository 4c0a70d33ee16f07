"""What objects other than pods have when their manifest does not say: as kube-apiserver fills it in."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import pod_defaults

Manifest = dict[str, Any]

_QUARTER = {"maxUnavailable": "25%", "maxSurge": "25%"}
_KEPT = {"whenDeleted": "Retain", "whenScaled": "Retain"}
_LABELS_OF_JOBS = ("controller-uid", "job-name")


def fill(kind: str, manifest: Manifest) -> None:
    """Fill in an object that is written."""
    make = _MAKERS.get(kind)
    if make is not None:
        make(manifest)


def _templated(spec: Manifest, name: str = "template") -> None:
    template = spec.setdefault(name, {})
    template.setdefault("metadata", {})
    pod_defaults.template(template.setdefault("spec", {}))


def _strategy(spec: Manifest, field: str, rolling: Mapping[str, Any]) -> None:
    strategy = spec.setdefault(field, {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy["rollingUpdate"] = {**rolling, **(strategy.get("rollingUpdate") or {})}


def _deployment(manifest: Manifest) -> None:
    spec = manifest["spec"]
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _strategy(spec, "strategy", _QUARTER)
    _templated(spec)


def _replica_set(manifest: Manifest) -> None:
    spec = manifest["spec"]
    _set(spec, replicas=1)
    _templated(spec)


def _stateful_set(manifest: Manifest) -> None:
    spec = manifest["spec"]
    _set(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    _strategy(spec, "updateStrategy", {"partition": 0})
    spec["persistentVolumeClaimRetentionPolicy"] = {**_KEPT, **(spec.get("persistentVolumeClaimRetentionPolicy") or {})}
    _templated(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        claim.update(kind="PersistentVolumeClaim", apiVersion="v1")
        _claim(claim)


def _daemon_set(manifest: Manifest) -> None:
    spec = manifest["spec"]
    _set(spec, revisionHistoryLimit=10)
    _strategy(spec, "updateStrategy", {"maxUnavailable": 1, "maxSurge": 0})
    _templated(spec)


def _job_spec(spec: Manifest) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    never = 2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6
    _set(spec, parallelism=1, backoffLimit=never, completionMode="NonIndexed", suspend=False, manualSelector=False)
    _set(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")
    _templated(spec)


def _job(manifest: Manifest) -> None:
    _job_spec(manifest["spec"])
    _inherit_labels(manifest)


def select_own_pods(job: Manifest) -> None:
    """Give a Job that is created the labels and the selector by which it knows its pods."""
    spec, metadata = job["spec"], job["metadata"]
    if spec.get("manualSelector"):
        return
    own = dict(zip(_LABELS_OF_JOBS, (metadata["uid"], metadata["name"]), strict=True))
    spec["template"]["metadata"]["labels"] = {
        **(spec["template"]["metadata"].get("labels") or {}),
        **own,
        **{f"batch.kubernetes.io/{key}": value for key, value in own.items()},
    }
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}


def _cron_job(manifest: Manifest) -> None:
    spec = manifest["spec"]
    _set(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    _templated(template.setdefault("spec", {}))


def _service(manifest: Manifest) -> None:
    spec = manifest.setdefault("spec", {})
    _set(spec, sessionAffinity="None", type="ClusterIP", internalTrafficPolicy="Cluster")
    for port in spec.get("ports") or ():
        _set(port, protocol="TCP", targetPort=port["port"])


def _namespace(manifest: Manifest) -> None:
    name = manifest["metadata"]["name"]
    labels = manifest["metadata"].get("labels") or {}
    manifest["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": name}
    manifest.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    manifest.setdefault("status", {}).setdefault("phase", "Active")


def _node(manifest: Manifest) -> None:
    status = manifest.get("status")
    if status and status.get("capacity") is not None:
        status.setdefault("allocatable", copy.deepcopy(status["capacity"]))


def _secret(manifest: Manifest) -> None:
    _set(manifest, type="Opaque")


def _claim(manifest: Manifest) -> None:
    _set(manifest.setdefault("spec", {}), volumeMode="Filesystem")
    manifest.setdefault("status", {}).setdefault("phase", "Pending")


def _volume(manifest: Manifest) -> None:
    _set(manifest.setdefault("spec", {}), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    manifest.setdefault("status", {}).setdefault("phase", "Pending")


def _storage_class(manifest: Manifest) -> None:
    _set(manifest, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _priority_class(manifest: Manifest) -> None:
    _set(manifest, preemptionPolicy="PreemptLowerPriority")


def _set(fields: Manifest, **defaults: Any) -> None:
    for name, value in defaults.items():
        if fields.get(name) is None:
            fields[name] = value


def _inherit_labels(manifest: Manifest) -> None:
    labels = manifest["spec"]["template"]["metadata"].get("labels")
    if labels and not manifest["metadata"].get("labels"):
        manifest["metadata"]["labels"] = dict(labels)


_MAKERS: Mapping[str, Callable[[Manifest], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Namespace": _namespace,
    "Node": _node,
    "Secret": _secret,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StorageClass": _storage_class,
    "PriorityClass": _priority_class,
}
