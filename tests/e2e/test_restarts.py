"""Kubelet, plugin and operator die and come back: nothing running is touched, nothing is handed out twice."""

from collections.abc import Mapping

import pytest

from kits.release import cluster_access, foreign_policies, installation, workloads

START_SECONDS = 30
"""New pods start within this time after a restart; a limit on the cluster's behaviour, not on the test's speed."""


def _container_ids(cluster: cluster_access.Cluster, namespace: str) -> Mapping[str, tuple[str, int]]:
    return {
        item["metadata"]["name"]: (status["containerID"], status["restartCount"])
        for item in cluster.list("pods", namespace)
        for status in item["status"].get("containerStatuses", [])  # none on a pod that kubelet refused
    }


def _restart_kubelet(cluster: cluster_access.Cluster, node: str) -> None:
    cluster.node_execute(node, "systemctl", "restart", "kubelet")


def _kill_plugin(cluster: cluster_access.Cluster, node: str) -> None:
    cluster.node_execute(node, "pkill", "-9", "-f", "neuronspan_deviceplugin")


DISTURBANCES = pytest.mark.parametrize(
    "disturb", [pytest.param(_restart_kubelet, id="kubelet-restart"), pytest.param(_kill_plugin, id="plugin-kill-9")]
)


@DISTURBANCES
def test_running_pods_keep_their_cores_and_new_ones_start_after(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, disturb: cluster_access.Disturbance
) -> None:
    cluster.apply_all([workloads.pod(f"old-{index}", cores=3, node=trn1) for index in range(4)], namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 4}, seconds=60)
    before = _container_ids(cluster, namespace)
    granted = {name: installation.grants_of(cluster, namespace, name) for name in before}

    disturb(cluster, trn1)
    cluster.apply_all([workloads.deployment("new", replicas=4, cores=2, node=trn1)], namespace)
    installation.wait_running(cluster, namespace, app="new", count=4, seconds=START_SECONDS)

    after = _container_ids(cluster, namespace)
    assert {name: after[name] for name in before} == before
    assert {name: installation.grants_of(cluster, namespace, name) for name in before} == granted
    assert installation.agreement_verdict(cluster).complaints == ()


@DISTURBANCES
def test_pods_that_arrive_meanwhile_start_and_nothing_is_handed_out_twice(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, disturb: cluster_access.Disturbance
) -> None:
    cluster.apply_all([workloads.deployment("early", replicas=6, cores=2, node=trn1)], namespace)
    disturb(cluster, trn1)
    cluster.apply_all([workloads.deployment("late", replicas=4, cores=3, node=trn1)], namespace)
    installation.wait_running(cluster, namespace, app="early", count=6, seconds=2 * START_SECONDS)
    installation.wait_running(cluster, namespace, app="late", count=4, seconds=START_SECONDS)
    verdict = installation.agreement_verdict(cluster)
    assert verdict.complaints == ()
    assert verdict.cores == 6 * 2 + 4 * 3


def test_operator_killed_in_a_burst_leaves_no_pod_behind(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    cluster.apply_all([workloads.pod(f"p-{index:02d}", cores=2, node=trn1) for index in range(12)], namespace)
    for item in cluster.list("pods", installation.NAMESPACE, labels=installation.OPERATOR_LABELS):
        cluster.delete("pod", item["metadata"]["name"], installation.NAMESPACE, force=True)
    workloads.wait_phases(cluster, namespace, {"Running": 12}, seconds=120)
    verdict = installation.agreement_verdict(cluster)
    assert verdict.complaints == ()
    assert verdict.cores == 24


def test_operator_killed_between_ledger_write_and_binding_is_followed_by_one_that_goes_on(
    cluster: cluster_access.Cluster, namespace: str, trn1: str
) -> None:
    """The API server holds the binding up: the ledger is written, and the operator dies before the next step."""
    with foreign_policies.refusing_bindings(cluster, namespace):
        cluster.apply_all([workloads.pod(f"p-{index}", cores=4, node=trn1) for index in range(3)], namespace)
        cluster.wait_for(lambda: len(_granted(cluster, namespace)) == 3, seconds=START_SECONDS, what=lambda: "3 grants")
        before = _granted(cluster, namespace)
        for node in cluster.list("nodes"):
            kill = "pkill -9 -f [n]euronspan_operator || test $? = 1"  # the brackets: not the shell that reads this
            cluster.node_execute(node["metadata"]["name"], "sh", "-c", kill)
        assert workloads.nodes_of(cluster, namespace) == {}
    workloads.wait_phases(cluster, namespace, {"Running": 3}, seconds=120)
    assert _granted(cluster, namespace) == before
    assert installation.agreement_verdict(cluster).complaints == ()


def _granted(cluster: cluster_access.Cluster, namespace: str) -> Mapping[str, Mapping[str, tuple[str, int, int]]]:
    found = {name: installation.grants_of(cluster, namespace, name) for name in ("p-0", "p-1", "p-2")}
    return {name: grants for name, grants in found.items() if grants}
