"""The device plugin where pods are that came in other ways, or whose node left its pool."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import kind_config
from kits.release import cluster_access, helm_release, installation, workloads
from neuronspan import names

SECONDS = 120.0
NEURON_NODES = f"{names.NEURON_NODES}.{names.GROUP}"


def agree(cluster: cluster_access.Cluster) -> None:
    """Wait until ledger, kubelet and containers name the same cores: the operator follows within seconds."""
    cluster.wait_for(
        lambda: installation.agreement_verdict(cluster).complaints == (),
        seconds=60,
        what=lambda: str(installation.agreement_verdict(cluster)),
    )


# --- static pods ------------------------------------------------------------------------------------------------------


@pytest.fixture
def static(cluster: cluster_access.Cluster, namespace: str, trn1: str) -> Iterator[str]:
    """The name of the mirror of a static pod with two cores on a node; its file goes at the end."""
    manifest = workloads.pod("static", annotations={})
    manifest["metadata"]["namespace"] = namespace
    manifest["spec"]["restartPolicy"] = "Always"
    manifest["spec"]["containers"][0]["resources"] = {"limits": {names.CORE_RESOURCE: "2"}}
    file = f"/etc/kubernetes/manifests/{namespace}.json"
    cluster.node_execute(trn1, "sh", "-c", f"cat > {file}", stdin=json.dumps(manifest))
    yield f"static-{trn1}"
    cluster.node_execute(trn1, "rm", "--force", file)


def test_static_pod_runs_on_cores_of_its_own_and_gives_them_back(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, static: str
) -> None:
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)
    agree(cluster)
    node, first, count = installation.grants_of(cluster, namespace, static)["app"]
    assert (node, count) == (trn1, 2)

    cluster.delete("pod", static, namespace)  # its mirror: kubelet makes another
    cluster.apply(workloads.pod("other", cores=30, node=trn1), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 2}, seconds=SECONDS)
    agree(cluster)
    assert installation.grants_of(cluster, namespace, static)["app"] == (trn1, first, 2)

    cluster.node_execute(trn1, "rm", f"/etc/kubernetes/manifests/{namespace}.json")
    cluster.wait_for(
        lambda: not installation.grants_of(cluster, namespace, static),
        seconds=SECONDS,
        what=lambda: f"no grant for {static}, there is {installation.grants_of(cluster, namespace, static)}",
    )


# --- a node that leaves its pool --------------------------------------------------------------------------------------


def plugins_on(cluster: cluster_access.Cluster, node: str) -> list[dict[str, Any]]:
    """Return the device plugin's pods of a node."""
    found = cluster.list("pods", installation.NAMESPACE, labels=installation.PLUGIN_LABELS)
    return [item for item in found if item["spec"].get("nodeName") == node]


def label(cluster: cluster_access.Cluster, node: str, value: str | None) -> None:
    """Give the node the label of a pool, or take it away."""
    word = f"{kind_config.POOL_LABEL}-" if value is None else f"{kind_config.POOL_LABEL}={value}"
    cluster.kubectl("label", "node", node, word, "--overwrite")


@pytest.fixture
def without_a_pool(cluster: cluster_access.Cluster, namespace: str, inf2: str) -> Iterator[str]:
    """A node that loses the label of its pool in the test; it is back in the pool at the end."""
    assert namespace
    yield inf2
    label(cluster, inf2, "inf2")
    cluster.wait_for(
        lambda: inf2 in helm_release.registered(cluster), seconds=SECONDS, what=lambda: f"{inf2} is registered again"
    )


def test_plugin_stays_on_a_node_that_left_its_pool_until_its_cores_are_free(
    cluster: cluster_access.Cluster, namespace: str, without_a_pool: str
) -> None:
    node = without_a_pool
    until_told = "until test -e /tmp/end; do sleep 0.2; done"
    pod = workloads.pod("stays", cores=4, node=node, command=["sh", "-c", until_told])
    pod["spec"]["restartPolicy"] = "Always"
    cluster.apply(pod, namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=SECONDS)
    label(cluster, node, None)
    cluster.execute(namespace, "stays", "touch", "/tmp/end")  # noqa: S108 - in a container of its own

    def restarted() -> bool:
        (status,) = cluster.get("pods", "stays", namespace)["status"]["containerStatuses"]
        return bool(status["restartCount"] and "running" in status["state"])

    cluster.wait_for(restarted, seconds=SECONDS, what=lambda: "its container was started again")
    assert len(plugins_on(cluster, node)) == 1
    agree(cluster)

    cluster.delete("pod", "stays", namespace)
    cluster.wait_for(
        lambda: not cluster.exists(NEURON_NODES, node) and not plugins_on(cluster, node),
        seconds=SECONDS,
        what=lambda: f"no NeuronNode and no plugin on {node}, plugins {len(plugins_on(cluster, node))}",
    )
    assert names.LEDGER_LABEL not in cluster.get("nodes", node)["metadata"]["labels"]
