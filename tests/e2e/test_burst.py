"""Sixty pods at once over fifty-six cores, on two real kubelets."""

from kits.release import cluster_access, installation, workloads


def test_sixty_pods_over_fifty_six_cores_run_or_say_why_and_follow(
    cluster: cluster_access.Cluster, namespace: str
) -> None:
    pods = [workloads.pod(f"one-{index:02d}", cores=1) for index in range(60)]
    cluster.apply_all(pods, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 56, "Pending": 4}, seconds=300)

    verdict = installation.agreement_verdict(cluster)
    assert verdict.complaints == ()
    assert (verdict.containers, verdict.cores) == (56, 56)

    waiting = workloads.names_in(cluster, namespace, "Pending")
    for name in waiting:
        assert workloads.wait_event(cluster, namespace, name, reason="FailedScheduling").endswith("(NoRoom)"), name

    for name in sorted(workloads.names_in(cluster, namespace, "Running"))[:4]:
        cluster.delete("pod", name, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 56}, seconds=120)
    assert set(waiting) <= workloads.names_in(cluster, namespace, "Running")
    assert installation.agreement_verdict(cluster).complaints == ()
