"""A core is free again only when no process of its last owner is left, whatever the API server says."""

from kits.release import cluster_access, installation, workloads

PRE_STOP_SECONDS = 30


def _processes(cluster: cluster_access.Cluster, node: str, uid: str) -> int:
    """Count the processes in the pod's cgroup, as the node's own kernel tells."""
    script = f"find /sys/fs/cgroup -path '*pod{uid}*' -name cgroup.procs -exec cat {{}} + 2>/dev/null | sort -u | wc -l"
    return int(cluster.node_execute(node, "sh", "-c", script))


def test_force_deleted_pod_keeps_its_cores_until_its_processes_are_gone(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    stubborn = workloads.pod(
        "stubborn",
        cores=30,
        node=trn1,
        command=["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
        pre_stop=["sleep", str(PRE_STOP_SECONDS)],
        grace_seconds=PRE_STOP_SECONDS + 5,
    )
    cluster.apply_all([stubborn], namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=60)
    uid = cluster.get("pod", "stubborn", namespace)["metadata"]["uid"]
    assert _processes(cluster, trn1, uid) > 0

    cluster.delete("pod", "stubborn", namespace)  # kubelet starts the 30 s of preStop
    cluster.wait_for(
        lambda: "stubborn" in workloads.names_in(cluster, namespace, "Terminating"),
        seconds=30,
        what=lambda: "pod stubborn Terminating",
    )
    cluster.delete("pod", "stubborn", namespace, force=True)  # only the object goes
    cluster.apply_all([workloads.pod("next", cores=20, node=trn1)], namespace)
    assert _processes(cluster, trn1, uid) > 0, "the old pod's processes were to outlive its object"

    seen_waiting = 0

    def started() -> bool:
        nonlocal seen_waiting
        running = "next" in workloads.names_in(cluster, namespace, "Running")
        left = _processes(cluster, trn1, uid)
        assert not (running and left), f"next runs while {left} processes of the old owner are alive"
        seen_waiting += not running
        return running

    cluster.wait_for(started, seconds=PRE_STOP_SECONDS + 60, what=lambda: "pod next Running")
    assert seen_waiting > 1, "the new pod never had to wait: the test proved nothing"
    assert installation.agreement_verdict(cluster).complaints == ()


def test_finished_pod_gives_its_cores_back_while_its_object_stays(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    cluster.apply_all([workloads.pod("short", cores=32, node=trn1, command=["true"])], namespace)
    workloads.wait_phases(cluster, namespace, {"Succeeded": 1}, seconds=60)
    cluster.apply_all([workloads.pod("after", cores=32, node=trn1)], namespace)
    workloads.wait_phases(cluster, namespace, {"Succeeded": 1, "Running": 1}, seconds=60)
    assert installation.grants_of(cluster, namespace, "after") == {"app": (trn1, 0, 32)}
