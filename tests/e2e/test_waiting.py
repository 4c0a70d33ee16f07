"""Pods that cannot be placed yet wait, say so where people and autoscalers look, and never fail because they waited."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from kits.release import cluster_access, foreign_policies, installation, workloads
from neuronspan import names

CORES_OF_TRN1 = 32
SECONDS = 60
"""For what takes a few: a claim that is bound, a pod that starts."""
FAILURES_ENV = "FAILURES"
OF_GROUP = """
case $JOB_COMPLETION_INDEX in
  0) exit 0 ;;
  1) exec sleep 86400 ;;
  *) sleep 3; exit $((FAILURES == 0)) ;;
esac
"""
"""Of three members one is done at once, one goes on, and one fails the first time."""


def _nodes_granted(cluster: cluster_access.Cluster, namespace: str, pod: str) -> set[str]:
    return {node for node, _, _ in installation.grants_of(cluster, namespace, pod).values()}


def _only_pod(cluster: cluster_access.Cluster, namespace: str) -> str:
    cluster.wait_for(
        lambda: len(cluster.list("pods", namespace)) == 1, seconds=SECONDS, what=lambda: f"one pod in {namespace}"
    )
    return str(cluster.list("pods", namespace)[0]["metadata"]["name"])


def _wait_unscheduled(cluster: cluster_access.Cluster, namespace: str, pod: str, words: str) -> tuple[str, str]:
    """Wait until the pod's condition says these words; return its reason and message."""

    def said() -> tuple[str, str]:
        return workloads.unscheduled(cluster, namespace, pod)

    cluster.wait_for(lambda: words in said()[1], seconds=SECONDS, what=lambda: f"{words!r} on {pod}, says {said()}")
    return said()


def _evictions(cluster: cluster_access.Cluster, namespace: str) -> list[str]:
    return [item["message"] for item in cluster.list("events", namespace) if item["reason"] == "Evicted"]


@contextlib.contextmanager
def _volume_on(cluster: cluster_access.Cluster, node: str, name: str, mode: str) -> Iterator[None]:
    """Offer a volume that only this node can reach, in a storage class of its own."""
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": mode,
    }
    here = {"key": names.HOSTNAME_LABEL, "operator": "In", "values": [node]}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": name,
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": f"/var/lib/{name}", "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
    cluster.apply_all([storage_class, volume])
    try:
        yield
    finally:
        cluster.kubectl("delete", "persistentvolume", name, "--wait=false")  # it ends with its claim
        cluster.kubectl("delete", "storageclass", name)


def _claim(storage_class: str) -> dict[str, Any]:
    spec = {
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


@pytest.mark.parametrize("mode", ["Immediate", "WaitForFirstConsumer"])
def test_job_without_a_retry_waits_for_its_claim_and_runs_where_the_volume_is(
    cluster: cluster_access.Cluster, namespace: str, inf2: str, mode: str
) -> None:
    once = workloads.pod("once", cores=2, command=["sh", "-c", ": > /data/done"])
    once["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    once["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    once["spec"]["securityContext"] = {"runAsUser": 0}  # a hostPath is root's
    with _volume_on(cluster, inf2, f"volume-{namespace}", mode):
        cluster.apply(workloads.job("once", once), namespace)
        pod = _only_pod(cluster, namespace)
        _wait_unscheduled(cluster, namespace, pod, 'persistentvolumeclaim "data" not found')
        before = workloads.uids(cluster, namespace)
        cluster.apply(_claim(f"volume-{namespace}"), namespace)
        workloads.wait_phases(cluster, namespace, {"Succeeded": 1}, seconds=SECONDS)
        assert workloads.uids(cluster, namespace) == before
        assert workloads.nodes_of(cluster, namespace) == {pod: inf2}


def test_waiting_pod_says_so_as_autoscalers_look_for_it(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    cluster.apply(workloads.pod("first", cores=1, node=trn1), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)
    cluster.apply(workloads.pod("whole", cores=CORES_OF_TRN1, node=trn1), namespace)
    reason, message = _wait_unscheduled(cluster, namespace, "whole", "nodes are available")
    assert reason == "Unschedulable"
    assert message.startswith(f"0/{len(cluster.list('nodes'))} nodes are available: ")
    assert message.endswith("(NoRoom)")
    stored = cluster.get("pods", "whole", namespace)["spec"]
    assert stored["schedulerName"] == names.SCHEDULER
    assert "schedulingGates" not in stored
    assert workloads.wait_event(cluster, namespace, "whole", reason="FailedScheduling").startswith("0/")
    cluster.delete("pod", "first", namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)
    assert workloads.names_in(cluster, namespace, "Running") == {"whole"}


def test_nothing_is_evicted_while_nobody_schedules(cluster: cluster_access.Cluster, namespace: str, trn1: str) -> None:
    cluster.apply(workloads.deployment("early", replicas=2, cores=2, node=trn1), namespace)
    installation.wait_running(cluster, namespace, app="early", count=2, seconds=SECONDS)
    with _no_operator(cluster):
        once = workloads.pod("once", cores=2, command=["sh", "-c", ":"], node=trn1)
        late = workloads.deployment("late", replicas=2, cores=2, node=trn1)
        cluster.apply_all([workloads.job("once", once), late], namespace)
        cluster.wait_for(
            lambda: len(workloads.names_in(cluster, namespace, "Pending")) == 3,
            seconds=SECONDS,
            what=lambda: f"three pods that wait, there are {workloads.phases(cluster, namespace)}",
        )
        before = workloads.uids(cluster, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 4, "Succeeded": 1}, seconds=2 * SECONDS)
    assert workloads.uids(cluster, namespace) == before
    assert _evictions(cluster, namespace) == []
    assert installation.agreement_verdict(cluster).complaints == ()


@contextlib.contextmanager
def _no_operator(cluster: cluster_access.Cluster) -> Iterator[None]:
    """Take all operators away, and bring them back at the end."""
    labels = installation.OPERATOR_LABELS
    (deployment,) = cluster.list("deployments", installation.NAMESPACE, labels=labels)
    _scale(cluster, deployment["metadata"]["name"], 0)
    try:
        cluster.wait_for(
            lambda: not cluster.list("pods", installation.NAMESPACE, labels=labels),
            seconds=SECONDS,
            what=lambda: "no operator left",
        )
        yield
    finally:
        _scale(cluster, deployment["metadata"]["name"], deployment["spec"]["replicas"])


def _scale(cluster: cluster_access.Cluster, deployment: str, replicas: int) -> None:
    cluster.kubectl("scale", "deployment", deployment, f"--replicas={replicas}", "--namespace", installation.NAMESPACE)


def test_bare_pod_that_cannot_be_bound_does_not_keep_its_cores(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, inf2: str
) -> None:
    """Its binding to the node that it likes is refused: the cores are taken back, and it runs elsewhere."""
    bare = workloads.pod("bare", cores=4)
    here = {"matchExpressions": [{"key": names.HOSTNAME_LABEL, "operator": "In", "values": [trn1]}]}
    preferred = [{"weight": 100, "preference": here}]
    bare["spec"]["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    with foreign_policies.refusing_bindings(cluster, namespace, node=trn1):
        cluster.apply(bare, namespace)
        uid = workloads.uids(cluster, namespace)["bare"]
        _, message = _wait_unscheduled(cluster, namespace, "bare", "(WriteRefused)")
        assert "denied" in message
        workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=2 * SECONDS)
    assert workloads.uids(cluster, namespace) == {"bare": uid}
    assert _nodes_granted(cluster, namespace, "bare") == {inf2}
    assert installation.agreement_verdict(cluster).complaints == ()


def test_member_of_a_served_group_is_replaced_alone(cluster: cluster_access.Cluster, namespace: str) -> None:
    notes = {
        names.CORES_ANNOTATION: "2",
        names.POD_GROUP_ANNOTATION: "three",
        names.POD_GROUP_SIZE_ANNOTATION: "3",
    }
    member = workloads.pod("member", command=["sh", "-c", OF_GROUP], annotations=notes)
    count = {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-index-failure-count']"}
    member["spec"]["containers"][0]["env"] = [{"name": FAILURES_ENV, "valueFrom": {"fieldRef": count}}]
    indexed = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}
    retried = {"backoffLimit": 3, "backoffLimitPerIndex": 1}
    cluster.apply(workloads.job("three", member, **indexed, **retried), namespace)
    workloads.wait_phases(cluster, namespace, {"Succeeded": 2, "Running": 1, "Failed": 1}, seconds=2 * SECONDS)
    assert {
        phase: sorted(_index(cluster, namespace, pod) for pod in pods)
        for phase, pods in workloads.phases(cluster, namespace).items()
    } == {"Succeeded": ["0", "2"], "Running": ["1"], "Failed": ["2"]}
    (job,) = cluster.list("jobs.batch", namespace)
    assert not job["status"].get("failedIndexes")


def _index(cluster: cluster_access.Cluster, namespace: str, pod: str) -> str:
    labels: dict[str, str] = cluster.get("pods", pod, namespace)["metadata"]["labels"]
    return labels["batch.kubernetes.io/job-completion-index"]
