"""Pods get their cores where everything else that they ask for is, too: cores decide among the nodes that are left."""

import collections
import json
from typing import Any

import pytest

from kits.release import cluster_access, foreign_policies, installation, workloads
from neuronspan import names

START_SECONDS = 10
"""Two pods that exclude each other run within this time."""
FABRIC = "fabric.example.com/links"
"""An extended resource that no plugin serves: nodes just have it."""


def _selecting(name: str) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": {"app": name}}}


def test_replicas_that_exclude_each_other_run_on_two_nodes(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, inf2: str
) -> None:
    apart = workloads.deployment("apart", replicas=2, cores=2)
    term = {**_selecting("apart"), "topologyKey": names.HOSTNAME_LABEL}
    apart["spec"]["template"]["spec"]["affinity"] = {
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    }
    cluster.apply(apart, namespace)
    installation.wait_running(cluster, namespace, app="apart", count=2, seconds=START_SECONDS)
    assert sorted(workloads.nodes_of(cluster, namespace).values()) == sorted([trn1, inf2])
    assert installation.agreement_verdict(cluster).complaints == ()


def test_replicas_that_are_to_be_spread_are_spread(
    cluster: cluster_access.Cluster, namespace: str, trn1: str, inf2: str
) -> None:
    even = workloads.deployment("even", replicas=4, cores=2)
    constraint = {
        **_selecting("even"),
        "topologyKey": names.HOSTNAME_LABEL,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",  # else the control plane's node is one that always has none of them
    }
    even["spec"]["template"]["spec"]["topologySpreadConstraints"] = [constraint]
    cluster.apply(even, namespace)
    installation.wait_running(cluster, namespace, app="even", count=4, seconds=2 * START_SECONDS)
    assert collections.Counter(workloads.nodes_of(cluster, namespace).values()) == {trn1: 2, inf2: 2}
    assert installation.agreement_verdict(cluster).complaints == ()


@pytest.mark.parametrize("having", ["trn1", "inf2"])
def test_another_resource_that_one_node_has_decides(
    cluster: cluster_access.Cluster, namespace: str, having: str, request: pytest.FixtureRequest
) -> None:
    node = request.getfixturevalue(having)
    _offer(cluster, node, "4")
    try:
        linked = workloads.pod("linked", cores=2)
        linked["spec"]["containers"][0]["resources"] = {"limits": {FABRIC: "4"}}
        cluster.apply(linked, namespace)
        workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=3 * START_SECONDS)
        assert workloads.nodes_of(cluster, namespace) == {"linked": node}
        assert [place for place, _, _ in installation.grants_of(cluster, namespace, "linked").values()] == [node]
    finally:
        _offer(cluster, node, None)


def _offer(cluster: cluster_access.Cluster, node: str, amount: str | None) -> None:
    """Let the node have so much of the other resource; None takes it away."""
    status = {"capacity": {FABRIC: amount}, "allocatable": {FABRIC: amount}}
    patch = ("--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
    cluster.kubectl("patch", "node", node, *patch)


def test_container_that_others_put_in_front_gets_no_cores(cluster: cluster_access.Cluster, namespace: str) -> None:
    with foreign_policies.injecting_in_front(cluster, namespace, "proxy"):
        cluster.apply(workloads.pod("meshed", cores=4), namespace)
    workloads.wait_phases(cluster, namespace, {"Running": 1}, seconds=3 * START_SECONDS)
    containers = [each["name"] for each in cluster.get("pods", "meshed", namespace)["spec"]["containers"]]
    assert containers == ["proxy", "app"]
    grants = installation.grants_of(cluster, namespace, "meshed")
    assert {container: count for container, (_, _, count) in grants.items()} == {"app": 4}
    assert names.VISIBLE_CORES_ENV not in cluster.execute(namespace, "meshed", "env", container="proxy")
    assert names.VISIBLE_CORES_ENV in cluster.execute(namespace, "meshed", "env", container="app")
    assert installation.agreement_verdict(cluster).complaints == ()
