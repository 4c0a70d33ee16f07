"""Nodes must declare the features that a pod's spec needs."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import node_features

RESTART, USERS = "RestartAllContainersOnContainerExits", "UserNamespacesHostNetworkSupport"
RULES = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [1]}}]


def _pod(**spec: Any) -> pods.PodView:
    manifest = builders.make_pod(cores=1)
    manifest["spec"] |= spec
    return pods.read(manifest)


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        pytest.param({"containers": [{"name": "app", "restartPolicyRules": RULES}]}, RESTART, id="rule of a container"),
        pytest.param(
            {"initContainers": [{"name": "i", "restartPolicyRules": RULES}]}, RESTART, id="of an init container"
        ),
        pytest.param({"hostNetwork": True, "hostUsers": False}, USERS, id="own users on the node's network"),
    ],
)
def test_nodes_without_the_feature_are_refused(spec: dict[str, Any], needed: str) -> None:
    plain, able = clusters.make_node("w1"), dataclasses.replace(clusters.make_node("w2"), features=frozenset({needed}))
    cluster = clusters.make_cluster([plain, able])
    found = clusters.verdicts(node_features.for_pod(_pod(**spec), cluster), cluster)
    assert found == {"w1": "node(s) didn't match Pod's required features"}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"hostNetwork": True},
        {"hostUsers": False},
        {"containers": [{"name": "app", "restartPolicyRules": [{"action": "Restart"}]}]},
    ],
)
def test_pods_that_every_kubelet_can_run_have_no_filter(spec: dict[str, Any]) -> None:
    assert node_features.for_pod(_pod(**spec), clusters.make_cluster([])) is None
