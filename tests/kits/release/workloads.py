"""Small pods and Deployments for the end-to-end tests, and what to wait for in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from kits.release import cluster_access
from neuronspan import names

IMAGE = "neuronspan/deviceplugin:0.1.0"
"""On every node that has NeuronCores anyway, and small; only its shell and `sleep` are used."""

SLEEP = ("sleep", "86400")


def _container(name: str, command: Sequence[str], pre_stop: Sequence[str] = ()) -> dict[str, Any]:
    hooks = {"lifecycle": {"preStop": {"exec": {"command": list(pre_stop)}}}} if pre_stop else {}
    return {"name": name, "image": IMAGE, "imagePullPolicy": "Never", "command": list(command), **hooks}


def pod(
    name: str,
    *,
    cores: int | str = 1,
    command: Sequence[str] = SLEEP,
    pre_stop: Sequence[str] = (),
    grace_seconds: int = 1,
    node: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One annotated pod with one container named `app`; `node` pins it by hostname label."""
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": grace_seconds,
        "restartPolicy": "Never",
        "containers": [_container("app", command, pre_stop)],
    }
    if node is not None:
        spec["nodeSelector"] = {names.HOSTNAME_LABEL: node}
    notes = {names.CORES_ANNOTATION: str(cores)} if annotations is None else dict(annotations)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "annotations": notes}, "spec": spec}


def deployment(name: str, *, replicas: int, cores: int, node: str | None = None) -> dict[str, Any]:
    """A Deployment of annotated one-container pods."""
    template = pod("unused", cores=cores, node=node)
    template["spec"]["restartPolicy"] = "Always"
    template["metadata"] = {"labels": {"app": name}, "annotations": template["metadata"]["annotations"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": template["metadata"], "spec": template["spec"]},
        },
    }


def job(name: str, template: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    """A Job of such pods that takes their first failure for its own, unless `spec` says otherwise."""
    kept = {"annotations": template["metadata"]["annotations"]}
    inside = {"template": {"metadata": kept, "spec": template["spec"]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, **inside, **spec},
    }


def phases(cluster: cluster_access.Cluster, namespace: str) -> dict[str, set[str]]:
    """Pod names by phase; a pod that is being deleted counts as `Terminating`."""
    found: dict[str, set[str]] = {}
    for item in cluster.list("pods", namespace):
        terminating = "deletionTimestamp" in item["metadata"]
        found.setdefault("Terminating" if terminating else item["status"]["phase"], set()).add(item["metadata"]["name"])
    return found


def names_in(cluster: cluster_access.Cluster, namespace: str, phase: str) -> set[str]:
    """The names of the pods in this phase."""
    return phases(cluster, namespace).get(phase, set())


def wait_phases(cluster: cluster_access.Cluster, namespace: str, wanted: Mapping[str, int], *, seconds: float) -> None:
    """Wait until so many pods are in each phase and none in any other."""

    def reached() -> bool:
        return {phase: len(found) for phase, found in phases(cluster, namespace).items()} == dict(wanted)

    cluster.wait_for(reached, seconds=seconds, what=lambda: f"{dict(wanted)}, now {phases(cluster, namespace)}")


def nodes_of(cluster: cluster_access.Cluster, namespace: str) -> dict[str, str]:
    """The node of every pod that is bound to one."""
    items = cluster.list("pods", namespace)
    return {item["metadata"]["name"]: item["spec"]["nodeName"] for item in items if item["spec"].get("nodeName")}


def statuses(cluster: cluster_access.Cluster, namespace: str) -> str:
    """One line for each pod: name, node, phase, and what the status says about it; for the report of a failed test."""
    lines = []
    for item in cluster.list("pods", namespace):
        status, leaving = item["status"], "terminating" if "deletionTimestamp" in item["metadata"] else ""
        told = (status.get("phase"), leaving, status.get("reason"), status.get("message"))
        words = (item["metadata"]["name"], item["spec"].get("nodeName", "on no node"), *told)
        lines.append(" ".join(word for word in words if word))
    return "\n".join(lines)


def uids(cluster: cluster_access.Cluster, namespace: str) -> dict[str, str]:
    """The UID of every pod: another one of the same name is another pod."""
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in cluster.list("pods", namespace)}


def unscheduled(cluster: cluster_access.Cluster, namespace: str, pod_name: str) -> tuple[str, str]:
    """Reason and message of a pod's condition PodScheduled while it is False, empty texts otherwise."""
    for condition in cluster.get("pods", pod_name, namespace).get("status", {}).get("conditions", []):
        if (condition["type"], condition["status"]) == ("PodScheduled", "False"):
            return condition.get("reason", ""), condition.get("message", "")
    return "", ""


def events(cluster: cluster_access.Cluster, namespace: str, pod_name: str) -> list[Mapping[str, Any]]:
    """The Events of one pod, oldest first."""
    found = [item for item in cluster.list("events", namespace) if item["involvedObject"].get("name") == pod_name]
    return sorted(found, key=lambda item: str(item.get("lastTimestamp") or item.get("eventTime") or ""))


def wait_event(
    cluster: cluster_access.Cluster, namespace: str, pod_name: str, *, reason: str, seconds: float = 30
) -> str:
    """Wait for an Event with this reason on a pod and return its message."""

    def messages() -> list[str]:
        return [item["message"] for item in events(cluster, namespace, pod_name) if item["reason"] == reason]

    cluster.wait_for(
        lambda: bool(messages()),
        seconds=seconds,
        what=lambda: f"an Event {reason} on {pod_name}, seen {events(cluster, namespace, pod_name)}",
    )
    return messages()[-1]
