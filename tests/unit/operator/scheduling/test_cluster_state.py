import dataclasses
from collections.abc import Iterable

from kits.manifests import clusters
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import selectors
from neuronspan_operator.scheduling import cluster_state
from neuronspan_operator.scheduling.counting import meanings


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    """Which pods of an app are on which node."""

    app: str
    found: list[str] = dataclasses.field(default_factory=list, compare=False)
    zones: list[str | None] = dataclasses.field(default_factory=list, compare=False)

    @property
    def meaning(self) -> meanings.Meaning:
        return meanings.Meaning(selectors.read({"matchLabels": {"app": self.app}}))

    def place(self, host: nodes.NodeView) -> str | None:
        return host.labels.get("zone")

    def settle(self, hosts: Iterable[nodes.NodeView], by: int) -> None:
        for host in hosts:
            (self.zones.append if by > 0 else self.zones.remove)(self.place(host))

    def count(self, pod: pods.PodView, host: nodes.NodeView, by: int) -> bool:
        if pod.labels.get("app") != self.app:
            return False
        (self.found.append if by > 0 else self.found.remove)(f"{pod.name}@{host.name}")
        return True


def _cluster() -> cluster_state.Cluster:
    return clusters.make_cluster([clusters.make_node("w1"), clusters.make_node("w2")])


def test_pod_counts_once_on_a_node() -> None:
    cluster, pod = _cluster(), clusters.make_pod(cores=4)
    cluster.add(pod, "w1")
    cluster.add(pod, "w1")
    assert cluster.nodes["w1"].used["aws.amazon.com/neuroncore"] == 4
    assert list(cluster.nodes["w1"].pods.values()) == [pod]


def test_node_that_does_not_exist_is_left_out() -> None:
    cluster = _cluster()
    cluster.add(clusters.make_pod(), "gone")
    cluster.remove(clusters.make_pod(), "gone")
    assert set(cluster.nodes) == {"w1", "w2"}


def test_remove_takes_back_what_was_added_and_not_what_the_pod_became() -> None:
    cluster = _cluster()
    cluster.add(clusters.make_pod(cores=4), "w1")
    cluster.remove(clusters.make_pod(cores=8), "w1")
    cluster.remove(clusters.make_pod(cores=8), "w1")
    assert cluster.nodes["w1"].used["aws.amazon.com/neuroncore"] == 0


def test_sums_are_made_of_the_pods_that_are_there_and_follow_every_change() -> None:
    cluster = _cluster()
    cluster.add(clusters.make_pod("web-1", {"app": "web"}), "w1")
    cluster.add(clusters.make_pod("db-1", {"app": "db"}), "w1")
    seen = cluster.keep(_Seen("web"))
    assert seen.found == ["web-1@w1"]
    cluster.add(clusters.make_pod("web-2", {"app": "web"}), "w2")
    assert seen.found == ["web-1@w1", "web-2@w2"]
    cluster.remove(clusters.make_pod("web-1", {"app": "other"}), "w1")
    assert seen.found == ["web-2@w2"]


def test_equal_sums_are_kept_once() -> None:
    cluster = _cluster()
    first = cluster.keep(_Seen("web"))
    assert cluster.keep(_Seen("web")) is first
    assert cluster.keep(_Seen("db")) is not first
