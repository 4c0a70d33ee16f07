import dataclasses
from collections.abc import Callable, Iterable

from kits.manifests import clusters
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import selectors, storage
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


def test_pod_counts_as_soon_as_its_node_is_there() -> None:
    cluster, pod = _cluster(), clusters.make_pod(cores=4)
    cluster.add(pod, "late")
    assert set(cluster.nodes) == {"w1", "w2"}
    cluster.put_node(clusters.make_node("late"))
    assert list(cluster.nodes["late"].pods.values()) == [pod]
    cluster.drop_node("late")
    cluster.remove(pod, "late")
    cluster.put_node(clusters.make_node("late"))
    assert cluster.nodes["late"].pods == {}


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


def test_sums_follow_the_labels_of_a_node() -> None:
    cluster = clusters.make_cluster(
        [clusters.make_node("w1", zone="a")], [("w1", clusters.make_pod("web-1", {"app": "web"}))]
    )
    seen = cluster.keep(_Seen("web"))
    assert seen.zones == ["a"]
    cluster.put_node(clusters.make_node("w1", zone="b"))
    assert (seen.zones, seen.found) == (["b"], ["web-1@w1"])
    cluster.drop_node("w1")
    assert (seen.zones, seen.found) == ([], [])


def test_relations_grow_with_what_others_may_see_and_with_nothing_else() -> None:
    told: list[str] = []
    cluster = cluster_state.Cluster([clusters.make_node("w1", zone="a")], on_change=told.append)
    cluster.keep(_Seen("web"))
    before = cluster.relations
    cluster.add(clusters.make_pod("db-1", {"app": "db"}), "w1")
    cluster.put_node(clusters.make_node("w1", zone="a", other="label"))
    assert (cluster.relations, told) == (before, ["w1", "w1", "w1"])
    grown = [before]
    changes: tuple[Callable[[], None], ...] = (
        lambda: cluster.add(clusters.make_pod("web-1", {"app": "web"}), "w1"),
        lambda: cluster.put_node(clusters.make_node("w1", zone="b")),
        lambda: cluster.put_node(clusters.make_node("w2")),
        lambda: cluster.drop_node("w2"),
        lambda: cluster.know({"default": {}}),
        lambda: cluster.assume(storage.Storage(unread=("persistentvolumes",))),
    )
    for change in changes:
        change()
        grown.append(cluster.relations)
    assert grown == sorted(set(grown))


def test_glance_without_a_pod_tells_nobody_and_changes_nothing() -> None:
    told: list[str] = []
    cluster = cluster_state.Cluster([clusters.make_node("w1")], on_change=told.append)
    pod = clusters.make_pod("web-1", {"app": "web"})
    cluster.add(pod, "w1")
    seen, before = cluster.keep(_Seen("web")), cluster.relations
    told.clear()
    with cluster.without([pod], "w1") as state:
        assert (state.pods, seen.found) == ({}, [])
    assert (cluster.nodes["w1"].pods, seen.found) == ({pod.uid: pod}, ["web-1@w1"])
    assert (cluster.relations, told) == (before, [])


def test_what_was_found_in_storage_is_found_anew_when_that_changed() -> None:
    cluster, looked = _cluster(), []

    def look(stored: storage.Storage) -> int:
        looked.append(stored)
        return len(looked)

    assert [cluster.of_storage(look), cluster.of_storage(look)] == [1, 1]
    cluster.assume(storage.EMPTY)
    assert cluster.of_storage(look) == 2
