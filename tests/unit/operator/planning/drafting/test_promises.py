"""A pod that is promised to a node counts there once, until the promise is broken."""

import dataclasses
from typing import Any

import pytest

from kits.manifests import builders, clusters
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import host_ports
from neuronspan_operator.planning.drafting import promises
from neuronspan_operator.scheduling import cluster_state

WEB, DB = (pods.read(builders.make_pod(name, cores=4)) for name in ("web", "db"))


@pytest.fixture
def cluster() -> cluster_state.Cluster:
    return clusters.make_cluster([clusters.make_node("w1"), clusters.make_node("w2")])


def _counted(cluster: cluster_state.Cluster) -> dict[str, list[str]]:
    return {name: sorted(state.pods) for name, state in cluster.nodes.items()}


def test_promised_pods_count_where_they_will_be_and_no_others_do(cluster: cluster_state.Cluster) -> None:
    made = promises.Promises(cluster)
    made.count("w1", {WEB.uid: WEB, DB.uid: DB})
    assert _counted(cluster) == {"w1": ["uid-db", "uid-web"], "w2": []}
    made.count("w1", {DB.uid: DB})
    assert _counted(cluster) == {"w1": ["uid-db"], "w2": []}


def test_promise_is_counted_once_however_often_it_is_made(cluster: cluster_state.Cluster) -> None:
    made = promises.Promises(cluster)
    for _ in range(2):
        made.make(WEB, "w1")
    made.break_one(WEB.uid, "w1")
    assert _counted(cluster) == {"w1": [], "w2": []}


def test_broken_promise_leaves_the_others_of_the_pod(cluster: cluster_state.Cluster) -> None:
    made = promises.Promises(cluster)
    for node in ("w1", "w2"):
        made.make(WEB, node)
    made.break_one(WEB.uid, "w1")
    assert _counted(cluster) == {"w1": [], "w2": ["uid-web"]}
    made.break_all(WEB.uid)
    assert _counted(cluster) == {"w1": [], "w2": []}


def test_pod_that_was_promised_nothing_stays_where_it_is(cluster: cluster_state.Cluster) -> None:
    cluster.add(WEB, "w1")
    made = promises.Promises(cluster)
    made.break_one(WEB.uid, "w1")
    made.break_all(WEB.uid)
    assert _counted(cluster)["w1"] == ["uid-web"]


def _bound(pod: pods.PodView, **fields: Any) -> pods.PodView:
    return dataclasses.replace(pod, node_name="w1", **fields)


def test_kept_promise_counts_on_as_the_pod_that_came(cluster: cluster_state.Cluster) -> None:
    made = promises.Promises(cluster)
    made.make(WEB, "w1")
    assert made.fulfil(_bound(WEB), "w1")
    assert cluster.nodes["w1"].pods[WEB.uid].node_name == "w1"
    made.break_all(WEB.uid)
    assert _counted(cluster) == {"w1": ["uid-web"], "w2": []}


def test_promise_is_kept_on_its_own_node_alone(cluster: cluster_state.Cluster) -> None:
    made = promises.Promises(cluster)
    assert not made.fulfil(_bound(WEB), "w1")
    for node in ("w1", "w2"):
        made.make(WEB, node)
    assert not made.fulfil(_bound(WEB), "w1")
    assert _counted(cluster) == {"w1": ["uid-web"], "w2": ["uid-web"]}


@pytest.mark.parametrize(
    "fields",
    [
        {"namespace": "other"},
        {"labels": {"app": "web"}},
        {"amounts": {"cpu": 1}},
        {"constraints": dataclasses.replace(WEB.constraints, host_ports=(host_ports.HostPort("0.0.0.0", "TCP", 80),))},
        {"deleted": True},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_pod_that_counts_otherwise_than_it_was_promised_is_counted_anew(
    cluster: cluster_state.Cluster, fields: dict[str, Any]
) -> None:
    made = promises.Promises(cluster)
    made.make(WEB, "w1")
    assert not made.fulfil(_bound(WEB, **fields), "w1")
