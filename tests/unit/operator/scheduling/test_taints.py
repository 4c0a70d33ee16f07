"""Nodes that keep pods away, or would rather."""

from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan_operator.objects import nodes
from neuronspan_operator.scheduling import taints

CORDON = "node.kubernetes.io/unschedulable"


def _taint(effect: str, key: str = "dedicated", value: str = "ml") -> dict[str, str]:
    return {"key": key, "value": value, "effect": effect}


@pytest.mark.parametrize(
    ("toleration", "effect", "fits"),
    [
        pytest.param(None, "NoSchedule", False, id="none"),
        pytest.param(None, "NoExecute", False, id="none for NoExecute"),
        pytest.param(None, "PreferNoSchedule", True, id="soft taint"),
        pytest.param({"key": "dedicated", "value": "ml"}, "NoSchedule", True, id="equal"),
        pytest.param({"key": "dedicated", "value": "ml", "effect": "NoSchedule"}, "NoSchedule", True, id="same effect"),
        pytest.param(
            {"key": "dedicated", "value": "ml", "effect": "NoExecute"}, "NoSchedule", False, id="other effect"
        ),
        pytest.param({"key": "dedicated", "value": "web"}, "NoSchedule", False, id="other value"),
        pytest.param({"key": "other", "operator": "Exists"}, "NoSchedule", False, id="other key"),
        pytest.param({"key": "dedicated", "operator": "Exists"}, "NoSchedule", True, id="exists"),
        pytest.param({"operator": "Exists"}, "NoExecute", True, id="everything"),
        pytest.param({"operator": "Equal"}, "NoSchedule", False, id="nothing in particular"),
        pytest.param({"key": "dedicated", "operator": "Gt", "value": "1"}, "NoSchedule", False, id="a number"),
    ],
)
def test_taints_repel_unless_tolerated(toleration: dict[str, str] | None, effect: str, *, fits: bool) -> None:
    cluster = clusters.make_cluster([clusters.make_node("w1", taints=[_taint(effect)])])
    pod = clusters.make_pod(tolerations=[toleration] if toleration else [])
    found = clusters.verdicts(taints.for_pod(pod, cluster), cluster)
    assert found == ({} if fits else {"w1": "node(s) had untolerated taint(s)"})


def test_every_taint_needs_a_toleration() -> None:
    both = [_taint("NoSchedule"), _taint("NoExecute", "node.kubernetes.io/not-ready", "")]
    cluster = clusters.make_cluster([clusters.make_node("w1", taints=both)])
    one = clusters.make_pod(tolerations=[{"key": "dedicated", "operator": "Exists"}])
    assert "w1" in clusters.verdicts(taints.for_pod(one, cluster), cluster)


@pytest.mark.parametrize(
    ("tolerations", "refused"),
    [
        pytest.param([], True, id="none"),
        pytest.param([{"key": CORDON, "operator": "Exists", "effect": "NoSchedule"}], False, id="as DaemonSets have"),
        pytest.param([{"key": CORDON, "operator": "Exists", "effect": "NoExecute"}], True, id="other effect"),
        pytest.param([{"operator": "Exists"}], False, id="everything"),
    ],
)
def test_cordoned_nodes_are_refused_unless_that_is_tolerated(
    tolerations: list[dict[str, str]], *, refused: bool
) -> None:
    known = [nodes.read(builders.make_node("w1", cordoned=True)), nodes.read(builders.make_node("w2"))]
    cluster = clusters.make_cluster(known)
    judge = taints.cordons(clusters.make_pod(tolerations=tolerations), cluster)
    assert clusters.verdicts(judge, cluster) == ({"w1": "node(s) were unschedulable"} if refused else {})


@pytest.mark.parametrize(
    ("toleration", "scores"),
    [
        pytest.param(None, {"w1": 0, "w2": 50, "w3": 100}, id="fewer are better"),
        pytest.param({"key": "a", "operator": "Exists"}, {"w1": 0, "w2": 100, "w3": 100}, id="tolerated ones are none"),
        pytest.param(
            {"key": "a", "operator": "Exists", "effect": "NoSchedule"},
            {"w1": 0, "w2": 50, "w3": 100},
            id="tolerated with another effect",
        ),
        pytest.param({"operator": "Exists"}, None, id="all tolerated"),
    ],
)
def test_soft_taints_are_scored(toleration: dict[str, str] | None, scores: dict[str, int] | None) -> None:
    soft, other = _taint("PreferNoSchedule", "a"), _taint("PreferNoSchedule", "b")
    known = [
        clusters.make_node("w1", taints=[soft, other]),
        clusters.make_node("w2", taints=[soft]),
        clusters.make_node("w3", taints=[_taint("NoSchedule", "c")]),
    ]
    cluster = clusters.make_cluster(known)
    pod = clusters.make_pod(tolerations=[toleration] if toleration else [])
    found: Any = taints.preferences(pod, cluster, list(cluster.nodes.values()))
    assert found == scores
    assert taints.is_disliked(pod, cluster.nodes["w1"]) is (scores is not None)
