"""The webhook in a real cluster: its Service, its pods, and the way back to policies."""

import contextlib
import pathlib
from collections.abc import Iterator

from cluster import process, tools
from kits.release import cluster_access, helm_release, installation, workloads

UPGRADE_SECONDS = 300
CONFIGURATIONS = "mutatingwebhookconfigurations,validatingwebhookconfigurations"


def _change_mode(cluster: cluster_access.Cluster, mode: str) -> None:
    where = ["--namespace", installation.NAMESPACE, "--kubeconfig", str(cluster.kubeconfig)]
    values = ["--reuse-values", "--set", f"admission.mode={mode}", "--wait", "--timeout", f"{UPGRADE_SECONDS}s"]
    command: list[str | pathlib.Path] = [
        tools.program("helm"),
        "upgrade",
        helm_release.RELEASE,
        helm_release.CHART,
        *where,
        *values,
    ]
    process.run(command, timeout=UPGRADE_SECONDS + 60)


@contextlib.contextmanager
def _webhook(cluster: cluster_access.Cluster) -> Iterator[None]:
    _change_mode(cluster, "webhook")
    try:
        yield
    finally:
        _change_mode(cluster, "auto")


def _configurations(cluster: cluster_access.Cluster) -> str:
    return cluster.kubectl("get", CONFIGURATIONS, "--output", "name", "--selector", "app.kubernetes.io/name=neuronspan")


def test_pod_gets_its_cores_by_the_webhook_and_the_policies_come_back(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    before = workloads.pod("before", cores=2, node=trn1)
    cluster.apply_all([before], namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=60)
    with _webhook(cluster):
        assert _configurations(cluster).count("neuronspan-webhook") == 2
        cluster.apply_all([workloads.pod("during", cores=4, node=trn1)], namespace)
        workloads.wait_phases(cluster, namespace, {"Running": 2}, seconds=60)
        assert installation.grants_of(cluster, namespace, "during").keys() == {"app"}
    assert _configurations(cluster) == ""
    cluster.apply_all([workloads.pod("after", cores=4, node=trn1)], namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 3}, seconds=60)
    assert installation.agreement_verdict(cluster).complaints == ()
