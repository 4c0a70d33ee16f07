"""Nodes that a pod names, selects or is drawn to."""

from typing import Any

import pytest

from kits.manifests import clusters
from neuronspan_operator.scheduling import node_affinity

NODE = clusters.make_node("w1", zone="a", generation="2")


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def _required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def _refuses(**pod: Any) -> bool:
    cluster = clusters.make_cluster([NODE])
    judge = node_affinity.for_pod(clusters.make_pod(**pod), cluster)
    return bool(clusters.verdicts(judge, cluster))


@pytest.mark.parametrize(
    ("selector", "fits"), [({"zone": "a"}, True), ({"zone": "b"}, False), ({"zone": "a", "none": ""}, False)]
)
def test_node_selector_is_obeyed(selector: dict[str, str], *, fits: bool) -> None:
    assert _refuses(selector=selector) is not fits


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        pytest.param([{"matchExpressions": [_expression("zone", "In", "a", "b")]}], True, id="In"),
        pytest.param([{"matchExpressions": [_expression("zone", "In", "b")]}], False, id="not In"),
        pytest.param([{"matchExpressions": [_expression("zone", "NotIn", "b")]}], True, id="NotIn"),
        pytest.param([{"matchExpressions": [_expression("none", "NotIn", "b")]}], True, id="NotIn without the label"),
        pytest.param([{"matchExpressions": [_expression("zone", "NotIn", "a")]}], False, id="not NotIn"),
        pytest.param([{"matchExpressions": [_expression("zone", "Exists")]}], True, id="Exists"),
        pytest.param([{"matchExpressions": [_expression("none", "Exists")]}], False, id="not Exists"),
        pytest.param([{"matchExpressions": [_expression("none", "DoesNotExist")]}], True, id="DoesNotExist"),
        pytest.param([{"matchExpressions": [_expression("zone", "DoesNotExist")]}], False, id="not DoesNotExist"),
        pytest.param([{"matchExpressions": [_expression("generation", "Gt", "1")]}], True, id="Gt"),
        pytest.param([{"matchExpressions": [_expression("generation", "Gt", "2")]}], False, id="not Gt"),
        pytest.param([{"matchExpressions": [_expression("generation", "Lt", "3")]}], True, id="Lt"),
        pytest.param([{"matchExpressions": [_expression("zone", "Lt", "3")]}], False, id="Lt of no number"),
        pytest.param([{"matchExpressions": [_expression("none", "Lt", "3")]}], False, id="Lt without the label"),
        pytest.param([{"matchExpressions": [_expression("zone", "Like", "a")]}], False, id="unknown operator"),
        pytest.param([{"matchFields": [_expression("metadata.name", "In", "w1")]}], True, id="name"),
        pytest.param([{"matchFields": [_expression("metadata.name", "In", "w2")]}], False, id="another name"),
        pytest.param([{"matchFields": [_expression("metadata.name", "NotIn", "w2")]}], True, id="not that name"),
        pytest.param([{"matchFields": [_expression("metadata.name", "NotIn", "w1")]}], False, id="not this name"),
        pytest.param([{"matchFields": [_expression("metadata.name", "In", "w1", "w2")]}], False, id="two names"),
        pytest.param([{"matchFields": [_expression("metadata.name", "Exists")]}], False, id="no operator for fields"),
        pytest.param(
            [{"matchExpressions": [_expression("zone", "In", "a"), _expression("none", "Exists")]}],
            False,
            id="all of a term",
        ),
        pytest.param(
            [
                {"matchExpressions": [_expression("zone", "In", "b")]},
                {"matchExpressions": [_expression("zone", "Exists")]},
            ],
            True,
            id="any of the terms",
        ),
        pytest.param([{}], False, id="an empty term matches nothing"),
        pytest.param([], False, id="no terms match nothing"),
    ],
)
def test_required_node_affinity_is_obeyed(terms: list[dict[str, Any]], *, fits: bool) -> None:
    assert _refuses(affinity=_required(*terms)) is not fits


def test_selector_and_affinity_must_both_hold() -> None:
    affinity = _required({"matchExpressions": [_expression("zone", "In", "b")]})
    assert _refuses(selector={"zone": "a"}, affinity=affinity)


def test_pod_that_selects_nothing_has_no_filter() -> None:
    cluster = clusters.make_cluster([NODE])
    pod = clusters.make_pod()
    makers = (node_affinity.preselected, node_affinity.by_name, node_affinity.for_pod)
    assert [make(pod, cluster) for make in makers] == [None, None, None]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        pytest.param(
            [{"matchFields": [_expression("metadata.name", "In", "w1")]}],
            {"w2": "node(s) didn't satisfy plugin(s) [NodeAffinity]"},
            id="one name",
        ),
        pytest.param(
            [
                {"matchFields": [_expression("metadata.name", "In", "w1")]},
                {"matchFields": [_expression("metadata.name", "In", "w2")]},
            ],
            {},
            id="either name",
        ),
        pytest.param(
            [{"matchFields": [_expression("metadata.name", "In", name) for name in ("w1", "w2")]}],
            dict.fromkeys(("w1", "w2"), "pod affinity terms conflict"),
            id="both names at once",
        ),
        pytest.param(
            [
                {"matchFields": [_expression("metadata.name", "In", "w1")]},
                {"matchExpressions": [_expression("zone", "Exists")]},
            ],
            {},
            id="a term without a name lets all nodes in",
        ),
    ],
)
def test_affinity_to_names_leaves_the_others_out_of_the_search(
    terms: list[dict[str, Any]], words: dict[str, str]
) -> None:
    cluster = clusters.make_cluster([NODE, clusters.make_node("w2")])
    judge = node_affinity.preselected(clusters.make_pod(affinity=_required(*terms)), cluster)
    assert clusters.verdicts(judge, cluster) == words


def test_named_node_is_the_only_one() -> None:
    cluster = clusters.make_cluster([NODE, clusters.make_node("w2")])
    judge = node_affinity.by_name(clusters.make_pod(node="w2"), cluster)
    assert clusters.verdicts(judge, cluster) == {"w1": "node(s) didn't match the requested node name"}


def _preferring(**weights: int) -> dict[str, Any]:
    """Affinity that prefers nodes of a zone, by weight."""
    terms = [
        {"weight": weight, "preference": {"matchExpressions": [_expression("zone", "In", zone)]}}
        for zone, weight in weights.items()
    ]
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": terms}}


def _preferences(affinity: dict[str, Any]) -> Any:
    known = [clusters.make_node("w1", zone="a"), clusters.make_node("w2", zone="b"), clusters.make_node("w3")]
    cluster = clusters.make_cluster(known)
    return node_affinity.preferences(clusters.make_pod(affinity=affinity), cluster, list(cluster.nodes.values()))


@pytest.mark.parametrize(
    ("affinity", "scores"),
    [
        pytest.param(_preferring(a=30, b=20), {"w1": 100, "w2": 66, "w3": 0}, id="parts of the best, rounded down"),
        pytest.param(_preferring(c=30), {"w1": 0, "w2": 0, "w3": 0}, id="nobody has what it prefers"),
        pytest.param(
            {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "preference": {}}]}},
            {"w1": 0, "w2": 0, "w3": 0},
            id="an empty preference is for no node",
        ),
    ],
)
def test_preferred_node_affinity_is_scored(affinity: dict[str, Any], scores: dict[str, int]) -> None:
    assert _preferences(affinity) == scores


def test_pod_without_preferred_node_affinity_has_no_scores() -> None:
    assert _preferences({}) is None


def test_preferred_node_affinity_is_no_condition() -> None:
    assert not _refuses(affinity=_preferring(z=100))
