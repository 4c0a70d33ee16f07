"""The installed chart: its own test, and the rights its parts have on a real cluster."""

import pytest

from cluster import errors, process, tools
from kits.release import cluster_access, helm_release, installation, workloads


def test_helm_test_passes(cluster: cluster_access.Cluster) -> None:
    where = ["--namespace", installation.NAMESPACE, "--kubeconfig", str(cluster.kubeconfig), "--timeout", "180s"]
    printed = process.run([tools.program("helm"), "test", helm_release.RELEASE, *where], timeout=240)
    assert "Phase:          Succeeded" in printed


def test_plugin_runs_without_any_capability(cluster: cluster_access.Cluster, trn1: str) -> None:
    pod = installation.plugin_pod(cluster, trn1)["metadata"]["name"]
    status = cluster.execute(installation.NAMESPACE, pod, "cat", "/proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["CapEff"].strip() == fields["CapBnd"].strip() == "0000000000000000"
    assert fields["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("verb", ["get", "list", "watch", "patch", "delete"])
def test_plugin_has_no_right_on_pods(cluster: cluster_access.Cluster, trn1: str, verb: str) -> None:
    account = installation.plugin_pod(cluster, trn1)["spec"]["serviceAccountName"]
    user = f"system:serviceaccount:{installation.NAMESPACE}:{account}"
    with pytest.raises(errors.CommandFailed, match="no"):
        cluster.kubectl("auth", "can-i", verb, "pods", "--as", user, "--all-namespaces")


def test_bad_input_is_refused_with_a_sentence_and_changes_nothing(
    cluster: cluster_access.Cluster, namespace: str
) -> None:
    with pytest.raises(errors.CommandFailed, match="four"):
        cluster.apply(workloads.pod("bad", cores="four"), namespace)
    assert cluster.list("pods", namespace) == []
