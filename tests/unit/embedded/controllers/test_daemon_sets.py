"""DaemonSets: one pod on each node that may have one."""

from typing import Any

from kits.embedded import cluster as embedded
from kits.manifests import builders


def _daemon_set(**spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "app", "image": "x:1"}], **spec}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod}
    return {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template}}


def _add_node(cluster: embedded.Embedded, name: str, **fields: Any) -> None:
    manifest = builders.make_node(name, **fields)
    del manifest["metadata"]["resourceVersion"]
    cluster.create("nodes", manifest)


def _cluster(**spec: Any) -> embedded.Embedded:
    cluster = embedded.Embedded()
    taint = {"key": "neuron", "value": "yes", "effect": "NoSchedule"}
    _add_node(cluster, "w1", labels={"rack": "a"})
    _add_node(cluster, "w2", labels={"rack": "b"})
    _add_node(cluster, "w3", labels={"rack": "c"}, taints=[taint])
    cluster.create("daemonsets", _daemon_set(**spec))
    cluster.settle()
    return cluster


def _nodes(cluster: embedded.Embedded) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in cluster.all("pods"))


def test_each_node_that_may_have_one_has_one_pod() -> None:
    cluster = _cluster()
    assert _nodes(cluster) == ["w1", "w2"]
    cluster.all_ready()
    status = cluster.get("daemonsets", "d")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"]) == (2, 2)


def test_selector_and_toleration_of_the_template_count() -> None:
    assert _nodes(_cluster(nodeSelector={"rack": "b"})) == ["w2"]
    assert _nodes(_cluster(tolerations=[{"operator": "Exists"}])) == ["w1", "w2", "w3"]


def test_new_node_gets_its_pod_and_a_pod_that_failed_is_replaced() -> None:
    cluster = _cluster()
    _add_node(cluster, "w4")
    first = next(pod for pod in cluster.all("pods") if pod["spec"]["nodeName"] == "w1")
    cluster.say(first, "Failed")
    cluster.settle()
    assert _nodes(cluster) == ["w1", "w2", "w4"]
    assert first["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in cluster.all("pods")}


def test_pods_of_an_older_template_give_way() -> None:
    cluster = _cluster()
    before = {pod["metadata"]["uid"] for pod in cluster.all("pods")}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "x:2"}]}}}}
    cluster.calls.patch(cluster.target("daemonsets", "d"), image, "application/strategic-merge-patch+json")
    cluster.settle()
    for pod in cluster.all("pods"):
        if pod["metadata"]["uid"] in before:
            assert "deletionTimestamp" in pod["metadata"]


def test_pods_go_with_their_daemon_set() -> None:
    cluster = _cluster()
    cluster.store.remove("daemonsets.apps", "default", "d")
    cluster.settle()
    assert all("deletionTimestamp" in pod["metadata"] for pod in cluster.all("pods"))
