"""A kept cluster says what one made anew would, whatever happened; and who is told of nothing need not look again."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

import hypothesis
import pytest
from hypothesis import strategies

from kits.manifests import pod_worlds, volumes
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.objects.constraints import storage
from neuronspan_operator.scheduling import cluster_state, screening
from neuronspan_operator.scheduling.counting import placed_terms, sums

HOSTS: Final = ("w1", "w2", "w3", "w4")
PODS: Final = tuple(f"p{number}" for number in range(6))
STORED: Final = (
    storage.EMPTY,
    volumes.stored([volumes.make_claim(modes=["ReadWriteOncePod"])], [volumes.make_volume()]),
    volumes.stored([volumes.make_claim(of_class="fast")], csi_nodes=[volumes.make_csi_node("w1", limit=1)]),
)


@dataclasses.dataclass
class _Facts:
    """What happened so far, in the plainest form."""

    hosts: dict[str, nodes.NodeView] = dataclasses.field(default_factory=dict)
    placed: dict[str, tuple[str, pods.PodView]] = dataclasses.field(default_factory=dict)
    namespaces: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=lambda: pod_worlds.HOMES)
    stored: storage.Storage = storage.EMPTY

    def fresh(self) -> cluster_state.Cluster:
        """A cluster made of them."""
        made = cluster_state.Cluster(self.hosts.values(), self.namespaces, self.stored)
        for node, pod in self.placed.values():
            made.add(pod, node)
        return made


@strategies.composite
def _pods(draw: strategies.DrawFn, name: str) -> pods.PodView:
    made = draw(pod_worlds.pod_manifests(name, spread=draw(strategies.booleans())))
    port = draw(strategies.sampled_from([0, 0, 80, 81]))
    made["spec"]["containers"][0]["ports"] = [{"containerPort": 1, "hostPort": port}]
    if made["metadata"]["namespace"] == "default" and draw(strategies.integers(0, 3)) == 0:
        made["spec"]["volumes"] = volumes.make_pod(claims=["data"])["spec"]["volumes"]
    return pods.read(made)


def _happen(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    """Let one thing happen to the facts and the kept cluster."""
    choices: tuple[Callable[[strategies.DataObject, _Facts, cluster_state.Cluster], None], ...]
    choices = (_node, _node_gone, _pod, _pod, _pod, _pod_gone, _namespaces, _volumes, _glance)
    data.draw(strategies.sampled_from(choices))(data, facts, kept)


def _node(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    host = nodes.read(data.draw(strategies.sampled_from(HOSTS).flatmap(pod_worlds.node_manifests)))
    facts.hosts[host.name] = host
    kept.put_node(host)


def _node_gone(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    name = data.draw(strategies.sampled_from(HOSTS))
    facts.hosts.pop(name, None)
    kept.drop_node(name)


def _pod(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    _pod_gone(data, facts, kept)
    pod, node = data.draw(strategies.sampled_from(PODS).flatmap(_pods)), data.draw(strategies.sampled_from(HOSTS))
    if pod.uid not in facts.placed:
        facts.placed[pod.uid] = node, pod
        kept.add(pod, node)


def _pod_gone(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    if facts.placed:
        node, pod = facts.placed.pop(data.draw(strategies.sampled_from(sorted(facts.placed))))
        kept.remove(pod, node)


def _namespaces(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    kinds = strategies.sampled_from([{}, {"kind": "prod"}, {"kind": "test"}])
    facts.namespaces = data.draw(strategies.fixed_dictionaries({}, optional=dict.fromkeys(pod_worlds.HOMES, kinds)))
    kept.know(facts.namespaces)


def _volumes(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    facts.stored = data.draw(strategies.sampled_from(STORED))
    kept.assume(facts.stored)


def _glance(data: strategies.DataObject, facts: _Facts, kept: cluster_state.Cluster) -> None:
    placed = sorted(uid for uid, (node, _) in facts.placed.items() if node in facts.hosts)
    if not placed:
        return
    uid = data.draw(strategies.sampled_from(placed))
    node, pod = facts.placed.pop(uid)
    with kept.without([pod], node):
        assert _said(pod, kept) == _said(pod, facts.fresh())
    facts.placed[uid] = node, pod


def _said(pod: pods.PodView, cluster: cluster_state.Cluster) -> Any:
    """All that is said of a pod."""
    found = screening.Screen(pod, cluster)
    judged = {name: (found.objection(state), found.objections(state)) for name, state in cluster.nodes.items()}
    scores = screening.soft_scores(pod, cluster, sorted(cluster.nodes.values(), key=lambda state: state.name))
    return found.is_plain, found.of_pod, judged, screening.minds(pod, cluster), scores


def _remembered(pod: pods.PodView, cluster: cluster_state.Cluster) -> Mapping[str, Any]:
    """What somebody may remember of a pod until he is told: what is said of each node, and how it compares."""
    found = screening.Screen(pod, cluster)
    return {
        name: (
            found.is_plain,
            found.of_pod,
            found.objection(state),
            screening.minds(pod, cluster),
            screening.soft_scores(pod, cluster, [state]),
        )
        for name, state in cluster.nodes.items()
    }


_probes = strategies.tuples(_pods("probe1"), _pods("probe2"))


@pytest.mark.parametrize("most", [2, 512])
@hypothesis.given(probes=_probes, data=strategies.data())
@hypothesis.settings(
    deadline=None, max_examples=100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_kept_cluster_says_what_a_new_one_says(
    probes: tuple[pods.PodView, ...], data: strategies.DataObject, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_at_most(most, monkeypatch)
    facts, kept = _Facts(), cluster_state.Cluster(namespaces=pod_worlds.HOMES)
    for _ in range(data.draw(strategies.integers(5, 15))):
        _happen(data, facts, kept)
        for probe in probes:
            assert _said(probe, kept) == _said(probe, facts.fresh())


def _keep_at_most(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MOST", most)
    monkeypatch.setattr(placed_terms, "MOST_ASKERS", most)


@pytest.mark.parametrize("most", [1, 512])
@hypothesis.given(probes=_probes, data=strategies.data())
@hypothesis.settings(
    deadline=None, max_examples=100, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_who_is_told_of_nothing_need_not_look_again(
    probes: tuple[pods.PodView, ...], data: strategies.DataObject, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep_at_most(most, monkeypatch)
    told: list[str] = []
    facts, kept = _Facts(), cluster_state.Cluster(namespaces=pod_worlds.HOMES, on_change=told.append)
    for _ in range(4):  # without several nodes there is nothing to see elsewhere
        _node(data, facts, kept)
    for _ in range(data.draw(strategies.integers(0, 3))):
        _happen(data, facts, kept)
    seen = kept.relations
    before = [_remembered(probe, kept) for probe in probes]
    told.clear()
    _happen(data, facts, kept)
    if kept.relations == seen:
        after = [_remembered(probe, facts.fresh()) for probe in probes]
        for name in set(kept.nodes) - set(told):
            assert [each[name] for each in after] == [each[name] for each in before]
