"""All filters and soft scores together."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan import names
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import screening

TAINT = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}


def test_first_reason_in_the_schedulers_order_stands() -> None:
    tainted_too: dict[str, Any] = {"taints": [TAINT], "cpu": "1"}
    known = [
        nodes.read(builders.make_node("w1", cordoned=True, **tainted_too)),
        nodes.read(builders.make_node("w2", **tainted_too)),
        nodes.read(builders.make_node("w3", cpu="1")),
        nodes.read(builders.make_node("w4", cpu="1", labels={"zone": "a"})),
        nodes.read(builders.make_node("w5", labels={"zone": "a"})),
    ]
    pod = pods.read(builders.make_pod(containers=[builders.container(cores=1, cpu="2")], selector={"zone": "a"}))
    found = screening.verdicts(pod, clusters.make_cluster(known))
    assert {name: None if each is None else each.words for name, each in found.items()} == {
        "w1": "node(s) were unschedulable",
        "w2": "node(s) had untolerated taint(s)",
        "w3": "node(s) didn't match Pod's node affinity/selector",
        "w4": "Insufficient cpu",
        "w5": None,
    }


def test_every_missing_resource_of_a_node_is_counted() -> None:
    cluster = clusters.make_cluster([nodes.read(builders.make_node("w1", cpu="1", memory="1Gi"))])
    pod = pods.read(builders.make_pod(containers=[builders.container(cores=1, cpu="2", memory="2Gi")]))
    found = screening.Screen(pod, cluster).objections(cluster.nodes["w1"])
    assert [each.words for each in found] == ["Insufficient cpu", "Insufficient memory"]


def test_node_without_objection_has_none_to_count() -> None:
    cluster = clusters.make_cluster([clusters.make_node("w1")])
    assert screening.Screen(clusters.make_pod(), cluster).objections(cluster.nodes["w1"]) == ()


def test_reason_of_the_pod_as_a_whole_stands_before_those_of_nodes() -> None:
    named = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in ("w1", "w2")]
    required = {"nodeSelectorTerms": [{"matchFields": named}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    cluster = clusters.make_cluster([clusters.make_node("w1", taints=[TAINT]), clusters.make_node("w2")])
    screen = screening.Screen(clusters.make_pod(affinity=affinity), cluster)
    assert screen.of_pod is not None
    assert {screen.objection(node) for node in cluster.nodes.values()} == {screen.of_pod}
    assert screen.of_pod.words == "pod affinity terms conflict"


def test_cluster_without_nodes_has_no_verdict() -> None:
    assert screening.verdicts(clusters.make_pod(), clusters.make_cluster([])) == {}


@pytest.mark.parametrize(
    ("pod", "plain"),
    [
        pytest.param(clusters.make_pod(selector={"zone": "a"}), True, id="selector"),
        pytest.param(clusters.make_pod(spreads=[clusters.spread("zone", {"app": "web"})]), False, id="spread"),
        pytest.param(
            clusters.make_pod(affinity=clusters.affinity(far=[clusters.term("zone", {"app": "web"})])),
            False,
            id="anti-affinity",
        ),
    ],
)
def test_pods_are_plain_when_nobody_elses_place_matters_to_them(pod: pods.PodView, *, plain: bool) -> None:
    assert screening.Screen(pod, clusters.make_cluster([clusters.make_node("w1")])).is_plain is plain


def test_pod_that_others_keep_away_is_not_plain() -> None:
    guard = clusters.make_pod("guard", affinity=clusters.affinity(far=[clusters.term("zone", {"app": "web"})]))
    cluster = clusters.make_cluster([clusters.make_node("w1", zone="a")], [("w1", guard)])
    assert not screening.Screen(clusters.make_pod("web", {"app": "web"}), cluster).is_plain
    assert screening.Screen(clusters.make_pod("db", {"app": "db"}), cluster).is_plain


def test_soft_scores_are_added_up_with_their_weights() -> None:
    preference = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    affinity = clusters.affinity(liked={10: clusters.term(names.HOSTNAME_LABEL, {"app": "db"})})
    affinity["nodeAffinity"] = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": preference}]
    }
    soft = {**TAINT, "effect": "PreferNoSchedule"}
    known = [clusters.make_node("w1", zone="a"), clusters.make_node("w2", taints=[soft]), clusters.make_node("w3")]
    cluster = clusters.make_cluster(known, [("w3", clusters.make_pod("db", {"app": "db"}))])
    pod = clusters.make_pod(affinity=affinity)
    assert screening.minds(pod, cluster)
    # taints 3, node affinity 2, pod affinity 2, each up to 100
    assert screening.soft_scores(pod, cluster, list(cluster.nodes.values())) == {"w1": 500, "w2": 0, "w3": 500}


def test_pod_without_wishes_likes_all_nodes_equally() -> None:
    cluster = clusters.make_cluster([clusters.make_node("w1"), clusters.make_node("w2")])
    pod = clusters.make_pod()
    assert not screening.minds(pod, cluster)
    assert screening.soft_scores(pod, cluster, list(cluster.nodes.values())) == {"w1": 0, "w2": 0}


def test_verdicts_of_a_pod_hold_for_the_cluster_as_it_is() -> None:
    cluster = clusters.make_cluster(
        [dataclasses.replace(clusters.make_node("w1"), allocatable={"cpu": 1000, "pods": 9})]
    )
    first, second = (
        pods.read(builders.make_pod(name, containers=[builders.container(cpu="1")])) for name in ("first", "second")
    )
    assert screening.verdicts(second, cluster)["w1"] is None
    cluster.add(first, "w1")
    assert screening.verdicts(second, cluster)["w1"] is not None
    cluster.remove(first, "w1")
    assert screening.verdicts(second, cluster)["w1"] is None
