"""Keyword builders of plain manifests, as the API server would send them: Pods after admission, Nodes, NeuronNodes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from neuronspan import grants, instance_types, ledger, names

Manifest = dict[str, Any]

GUEST: Mapping[str, Any] = {"scheduler": "volcano", "gates": (names.SCHEDULING_GATE,)}
"""Arguments of ``make_pod`` for a pod that another scheduler binds after us."""
CREATED = "2026-01-31T09:00:00Z"
SMALL = "inf2.24xlarge"  # 6 devices with 2 cores: 12 cores
LARGE = "trn1.32xlarge"  # 16 devices with 2 cores: 32 cores


def container(
    name: str = "app",
    *,
    cores: int = 0,
    devices: int = 0,
    cpu: str = "",
    memory: str = "",
    sidecar: bool = False,
) -> Manifest:
    """One container (or init container, or sidecar) with limits and equal requests."""
    limits = {"cpu": cpu, "memory": memory}
    limits |= {names.CORE_RESOURCE: str(cores or ""), names.DEVICE_RESOURCE: str(devices or "")}
    limits = {resource: amount for resource, amount in limits.items() if amount}
    restart = {"restartPolicy": "Always"} if sidecar else {}
    return {"name": name, "image": "app", "resources": {"limits": limits, "requests": dict(limits)}, **restart}


def make_pod(
    name: str = "web",
    *,
    cores: int = 0,
    devices: int = 0,
    containers: Sequence[Manifest] | None = None,
    init_containers: Sequence[Manifest] = (),
    annotations: Mapping[str, str] | None = None,
    uid: str = "",
    namespace: str = "default",
    version: str = "1",
    created: str = CREATED,
    deleted: bool = False,
    scheduler: str = names.SCHEDULER,
    gates: Iterable[str] = (),
    node: str = "",
    phase: str = "Pending",
    priority: int = 0,
    owner: str = "",
    kind: str = "ReplicaSet",
    selector: Mapping[str, str] | None = None,
    affinity: Mapping[str, Any] | None = None,
    tolerations: Sequence[Mapping[str, Any]] = (),
    grant: Mapping[str, Any] | None = None,
    unscheduled: str = "",
    fence: str = "",
    labels: Mapping[str, str] | None = None,
    preempts: bool = True,
    ends: bool = False,
    started: str = "",
    nominated: str = "",
) -> Manifest:
    """A pod as admission leaves it: for us to schedule, limits set. ``cores`` or ``devices`` are for container ``app``.

    ``owner`` is the name of a controller of that ``kind``; ``grant`` is the content of the grant annotation. A pod with
    ``node`` is bound, so it has no gates. ``GUEST`` makes a pod that has another scheduler. ``fence`` is its moment. A
    pod that ``ends`` is not started again; ``nominated`` is the node that its status names.
    """
    notes = {} if annotations is None else dict(annotations)
    if grant is not None:
        notes[names.GRANT_ANNOTATION] = json.dumps(grant)
    metadata: Manifest = {"name": name, "namespace": namespace, "uid": uid or f"uid-{name}"}
    metadata |= {"resourceVersion": version, "creationTimestamp": created}
    metadata["labels"] = {names.MANAGED_LABEL: names.MANAGED_VALUE, **(labels or {})}
    if notes:
        metadata["annotations"] = notes
    if deleted:
        metadata["deletionTimestamp"] = CREATED
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": f"uid-{owner}"}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    spec: Manifest = {
        "schedulerName": scheduler,
        "containers": list(containers or [container(cores=cores, devices=devices)]),
    }
    optional = {
        "initContainers": list(init_containers),
        "schedulingGates": [] if node else [{"name": gate} for gate in gates],
        "nodeName": node,
        "priority": priority,
        "nodeSelector": dict(selector or {}),
        "affinity": dict(affinity or {}),
        "tolerations": list(tolerations),
        "preemptionPolicy": "" if preempts else "Never",
        "restartPolicy": "Never" if ends else "",
    }
    spec |= {field: value for field, value in optional.items() if value}
    status: Manifest = {"phase": phase, "conditions": []}
    status |= {field: value for field, value in (("startTime", started), ("nominatedNodeName", nominated)) if value}
    if unscheduled:
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": unscheduled}
        status["conditions"].append(condition)
    if fence:
        status["conditions"].append({"type": "neuronspan.dev/TakenBack", "status": "True", "message": fence})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def patched(pod: Manifest, patch: Mapping[str, Any]) -> Manifest:
    """Return a pod as a patch of its status leaves it: annotations are merged, conditions by their type."""
    notes = {**pod["metadata"].get("annotations", {}), **patch["metadata"].get("annotations", {})}
    changed = patch.get("status", {}).get("conditions", [])
    types = {each["type"] for each in changed}
    conditions = [*(each for each in pod["status"]["conditions"] if each["type"] not in types), *changed]
    metadata = {**pod["metadata"], "annotations": notes}
    return {**pod, "metadata": metadata, "status": {**pod["status"], "conditions": conditions}}


def make_node(
    name: str = "w1",
    *,
    cores: int = 32,
    devices: int = 16,
    cpu: str = "64",
    memory: str = "256Gi",
    pods: int = 110,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, Any]] = (),
    ready: bool = True,
    cordoned: bool = False,
    deleted: bool = False,
    uid: str = "",
    hostname: str = "",
) -> Manifest:
    """A node whose kubelet serves that many allocatable NeuronCores and Neuron devices."""
    allocatable = {"cpu": cpu, "memory": memory, "pods": str(pods)}
    allocatable |= {names.CORE_RESOURCE: str(cores), names.DEVICE_RESOURCE: str(devices)}
    metadata: Manifest = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": "1"}
    metadata["labels"] = {names.HOSTNAME_LABEL: hostname or name, **(labels or {})}
    if deleted:
        metadata["deletionTimestamp"] = CREATED
    conditions = [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "Ready", "status": "True" if ready else "False"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {"unschedulable": cordoned, "taints": list(taints)},
        "status": {"allocatable": allocatable, "conditions": conditions},
    }


def make_neuron_node(
    name: str = "w1",
    entries: Iterable[grants.Grant] = (),
    *,
    instance_type: str = LARGE,
    version: str = "1",
    epoch: str = "e1",
    registered: bool = True,
    advertised: bool = True,
    held: Sequence[Manifest] = (),
    released: Sequence[str] = (),
    unhealthy: Iterable[int] | Mapping[int, str] = (),
) -> Manifest:
    """A NeuronNode with a ledger of these grants, and what its plugin reports; ``unhealthy`` may have reasons."""
    hardware = instance_types.hardware_of(instance_type)
    book = ledger.Ledger(hardware.cores, tuple(entries))
    bad = unhealthy if isinstance(unhealthy, Mapping) else dict.fromkeys(unhealthy, "")
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.NEURON_NODE_KIND,
        "metadata": {"name": name, "uid": f"uid-nn-{name}", "resourceVersion": version},
        "spec": {
            "hardware": hardware.to_dict(),
            "cores": hardware.cores,
            "coreNumbering": names.NODE_NUMBERING,
            "grants": book.to_list(),
        },
        "status": {
            "hardware": hardware.to_dict() if advertised else {},
            "epoch": epoch,
            "cores": [
                {"index": core, "healthy": core not in bad, "reason": bad.get(core, "")}
                for core in range(hardware.cores)
            ],
            "held": list(held),
            "released": list(released),
            "conditions": [{"type": "Registered", "status": "True" if registered else "False"}],
        },
    }


def make_budget(
    name: str = "web", *, allowed: int = 0, labels: Mapping[str, str] | None = None, **status: Any
) -> Manifest:
    """A PodDisruptionBudget of the pods with these labels, all those of the namespace without any."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": "1", "generation": 1},
        "spec": {"selector": {"matchLabels": dict(labels or {})}},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1, **status},
    }


STATIC_UID = "0123456789abcdef0123456789abcdef"
"""What kubelet calls the static pod of ``make_mirror``."""


def make_mirror(name: str = "web", *, node: str = "w1", static_uid: str = STATIC_UID, **fields: Any) -> Manifest:
    """What kubelet reports of a static pod: an object with a UID of its own, which names the pod's in an annotation."""
    notes = {"kubernetes.io/config.mirror": static_uid, "kubernetes.io/config.hash": static_uid}
    pod = make_pod(name, node=node, annotations=notes, scheduler="default-scheduler", **fields)
    pod["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": node, "controller": True}]
    return pod


def held(
    cores: str,
    pod: str = "web",
    *,
    container: str = "app",
    uid: str | None = None,
    namespace: str = "default",
    resource: str = names.CORE_RESOURCE,
    processes: bool = True,
) -> Manifest:
    """One entry of status.held; ``uid=""`` when the plugin cannot tell the pod's UID."""
    first, _, last = cores.partition("-")
    return {
        "podUID": f"uid-{pod}" if uid is None else uid,
        "namespace": namespace,
        "pod": pod,
        "container": container,
        "first": int(first),
        "count": int(last or first) - int(first) + 1,
        "resource": resource,
        "processes": processes,
    }
