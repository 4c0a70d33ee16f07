"""Every resource that a pod requests must be there."""

from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan import names
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import node_resources


def _node(**allocatable: str) -> nodes.NodeView:
    manifest = builders.make_node("w1", cpu="4", memory="8Gi", pods=3)
    manifest["status"]["allocatable"] |= {key.replace("_", "-"): each for key, each in allocatable.items()}
    return nodes.read(manifest)


def _pod(name: str = "web", **requests: str) -> pods.PodView:
    resources = {key.replace("_", "-"): each for key, each in requests.items()}
    return pods.read(builders.make_pod(name, containers=[{"name": "app", "resources": {"requests": resources}}]))


def _lacking(pod: pods.PodView, *others: pods.PodView, **allocatable: str) -> list[str]:
    cluster = clusters.make_cluster([_node(**allocatable)], [("w1", other) for other in others])
    return [each.words for each in node_resources.lacking(pod, cluster.nodes["w1"])]


@pytest.mark.parametrize(
    ("wanted", "used", "lacking"),
    [
        pytest.param({"cpu": "1"}, {"cpu": "3"}, [], id="cpu, exactly"),
        pytest.param({"cpu": "1"}, {"cpu": "3001m"}, ["Insufficient cpu"], id="cpu"),
        pytest.param({"memory": "1Gi"}, {"memory": "7681Mi"}, ["Insufficient memory"], id="memory"),
        pytest.param({"memory": "1Gi"}, {"cpu": "9"}, [], id="who asks for no cpu needs none"),
        pytest.param({}, {"cpu": "9"}, [], id="who asks for nothing"),
        pytest.param(
            {"ephemeral_storage": "1Gi"}, {}, ["Insufficient ephemeral-storage"], id="a resource that nodes do not have"
        ),
        pytest.param({"hugepages_2Mi": "4Mi"}, {"hugepages_2Mi": "6Mi"}, [], id="huge pages, exactly"),
        pytest.param(
            {"hugepages_2Mi": "4Mi"}, {"hugepages_2Mi": "8Mi"}, ["Insufficient hugepages-2Mi"], id="huge pages"
        ),
        pytest.param(
            {"vpc.amazonaws.com/efa": "2"},
            {"vpc.amazonaws.com/efa": "3"},
            ["Insufficient vpc.amazonaws.com/efa"],
            id="extended resource",
        ),
        pytest.param(
            {"cpu": "3", "memory": "6Gi"},
            {"cpu": "3", "memory": "6Gi"},
            ["Insufficient cpu", "Insufficient memory"],
            id="each that is missing",
        ),
    ],
)
def test_what_is_missing_is_named(wanted: dict[str, str], used: dict[str, str], lacking: list[str]) -> None:
    allocatable: dict[str, Any] = {"hugepages_2Mi": "10Mi", "vpc.amazonaws.com/efa": "4"}
    assert sorted(_lacking(_pod(**wanted), _pod("other", **used), **allocatable)) == lacking


def test_pod_slots_are_counted_by_pod() -> None:
    others = [_pod(f"other-{index}") for index in range(3)]
    assert _lacking(_pod(), *others[:2]) == []
    assert _lacking(_pod(), *others) == ["Too many pods"]


@pytest.mark.parametrize("resource", [names.CORE_RESOURCE, names.DEVICE_RESOURCE])
def test_neuron_resources_are_resources_like_others(resource: str) -> None:
    allocatable: dict[str, Any] = {resource: "4"}
    assert _lacking(_pod(**{resource: "2"}), _pod("other", **{resource: "3"}), **allocatable) == [
        f"Insufficient {resource}"
    ]


def test_filter_names_the_first_that_is_missing() -> None:
    cluster = clusters.make_cluster([_node()])
    judge = node_resources.for_pod(_pod(memory="9Gi", cpu="5"), cluster)
    assert clusters.verdicts(judge, cluster) == {"w1": "Insufficient cpu"}
