"""Pod affinity, against the sentences of the API's documentation; and what comes and goes leaves no trace."""

from collections.abc import Mapping
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import clusters, pod_worlds
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import cluster_state, pod_affinity, topology_spread

NOT_NEAR = "node(s) didn't match pod affinity rules"
TOO_NEAR = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"


def _means(owner: pod_worlds.Manifest, term: pod_worlds.Manifest, other: pod_worlds.Manifest) -> bool:
    """namespaces and namespaceSelector are united; neither means the namespace of the pod that has the term."""
    home = other["metadata"]["namespace"]
    homes = set(term.get("namespaces") or ())
    selector = term.get("namespaceSelector")
    if not homes and selector is None:
        homes = {owner["metadata"]["namespace"]}
    if home not in homes and not pod_worlds.selects(selector, pod_worlds.HOMES[home]):
        return False
    return pod_worlds.selects(term["labelSelector"], other["metadata"]["labels"])


def _terms(pod: pod_worlds.Manifest, kind: str, field: str) -> list[Any]:
    affinity = pod["spec"].get("affinity") or {}
    return list((affinity.get(kind) or {}).get(f"{field}DuringSchedulingIgnoredDuringExecution") or ())


def _together(first: pod_worlds.Manifest, second: pod_worlds.Manifest, key: str) -> bool:
    """Running on nodes whose value of the label with that key is one and the same."""
    left, right = (each["metadata"]["labels"].get(key) for each in (first, second))
    return left is not None and left == right


def _near(world: pod_worlds.World, node: pod_worlds.Manifest) -> bool:
    terms = _terms(world.pod, "podAffinity", "required")

    def by_all(other: pod_worlds.Manifest) -> bool:
        return all(_means(world.pod, term, other) for term in terms)

    if any(term["topologyKey"] not in node["metadata"]["labels"] for term in terms):
        return False
    peers = [world.node_of(name) for name, other in world.placed if by_all(other)]
    if all(any(_together(node, peer, term["topologyKey"]) for peer in peers) for term in terms):
        return True
    in_topology = [peer for peer in peers for term in terms if term["topologyKey"] in peer["metadata"]["labels"]]
    return not in_topology and by_all(world.pod)


def _affinity_verdict(world: pod_worlds.World, node: pod_worlds.Manifest) -> str:
    if not _near(world, node):
        return NOT_NEAR
    for name, other in world.placed:
        for term in _terms(world.pod, "podAntiAffinity", "required"):
            if _means(world.pod, term, other) and _together(node, world.node_of(name), term["topologyKey"]):
                return TOO_NEAR
    for name, other in world.placed:
        for term in _terms(other, "podAntiAffinity", "required"):
            if _means(other, term, world.pod) and _together(node, world.node_of(name), term["topologyKey"]):
                return UNWELCOME
    return ""


def _pull(world: pod_worlds.World, node: pod_worlds.Manifest) -> int:
    """The sum of weights of all wishes that come true on this node, the pod's own and those of the pods on nodes."""
    total = 0
    for name, other in world.placed:
        wishes = [
            (sign * each["weight"], each["podAffinityTerm"], owner, meant)
            for owner, meant in ((world.pod, other), (other, world.pod))
            for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1))
            for each in _terms(owner, kind, "preferred")
        ]
        wishes += [(1, term, other, world.pod) for term in _terms(other, "podAffinity", "required")]
        total += sum(
            weight
            for weight, term, owner, meant in wishes
            if _means(owner, term, meant) and _together(node, world.node_of(name), term["topologyKey"])
        )
    return total


def _by_name(found: Mapping[str, str]) -> dict[str, str]:
    return {name: words for name, words in found.items() if words}


# --- the properties ---------------------------------------------------------------------------------------------------


@hypothesis.given(pod_worlds.worlds())
def test_pod_affinity_decides_as_it_is_defined(world: pod_worlds.World) -> None:
    cluster = world.cluster()
    found = clusters.verdicts(pod_affinity.for_pod(pods.read(world.pod), cluster), cluster)
    assert found == _by_name({each["metadata"]["name"]: _affinity_verdict(world, each) for each in world.nodes})


@hypothesis.given(pod_worlds.worlds())
def test_pod_affinity_prefers_the_greatest_sum_of_weights(world: pod_worlds.World) -> None:
    cluster = world.cluster()
    found = pod_affinity.preferences(pods.read(world.pod), cluster, list(cluster.nodes.values()))
    sums = {each["metadata"]["name"]: _pull(world, each) for each in world.nodes}
    least, span = min(sums.values()), max(sums.values()) - min(sums.values())
    expected = {name: int(100 * ((each - least) / span)) if span else 0 for name, each in sums.items()}
    assert (found or dict.fromkeys(sums, 0)) == expected


@hypothesis.given(strategies.booleans().flatmap(lambda spread: pod_worlds.worlds(spread=spread)), strategies.data())
def test_pod_that_came_and_left_leaves_no_trace(world: pod_worlds.World, data: strategies.DataObject) -> None:
    cluster, pod = world.cluster(), pods.read(world.pod)
    before = _all_answers(pod, cluster)
    guests = [
        (
            data.draw(strategies.sampled_from(sorted(cluster.nodes))),
            pods.read(data.draw(pod_worlds.pod_manifests(f"guest{number}"))),
        )
        for number in range(data.draw(strategies.integers(1, 3)))
    ]
    for node, guest in guests:
        cluster.add(guest, node)
    with_guests = clusters.make_cluster(
        [each.host for each in cluster.nodes.values()],
        [*((node, pods.read(each)) for node, each in world.placed), *guests],
        pod_worlds.HOMES,
    )
    assert _all_answers(pod, cluster) == _all_answers(pod, with_guests)
    for node, guest in data.draw(strategies.permutations(guests)):
        cluster.remove(guest, node)
    assert _all_answers(pod, cluster) == before


def _all_answers(pod: pods.PodView, cluster: cluster_state.Cluster) -> list[Any]:
    asked = list(cluster.nodes.values())
    modules = (pod_affinity, topology_spread)
    return [
        answer
        for module in modules
        for answer in (
            clusters.verdicts(module.for_pod(pod, cluster), cluster),
            module.preferences(pod, cluster, asked),
        )
    ]
