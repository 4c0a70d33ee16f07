"""Topology spread, against the sentences of the API's documentation, counted out domain by domain."""

import math

import hypothesis
from hypothesis import strategies

from kits.manifests import clusters, pod_worlds
from neuronspan import names
from neuronspan_operator.objects import pods
from neuronspan_operator.scheduling import topology_spread

UNEVEN = "node(s) didn't match pod topology spread constraints"


def _counts(world: pod_worlds.World, constraint: pod_worlds.Manifest, node: pod_worlds.Manifest) -> bool:
    """Whether the node's pods count: inclusion policies, and it has the keys of all constraints of the kind."""
    labels, spec = node["metadata"]["labels"], world.pod["spec"]
    if any(each["topologyKey"] not in labels for each in _constraints(world, constraint["whenUnsatisfiable"])):
        return False
    wanted = (spec.get("nodeSelector") or {}).items()
    if constraint.get("nodeAffinityPolicy") != "Ignore" and any(labels.get(key) != value for key, value in wanted):
        return False
    tainted = pod_worlds.TAINT in node["spec"]["taints"] and not spec.get("tolerations")
    return constraint.get("nodeTaintsPolicy") != "Honor" or not tainted


def _constraints(world: pod_worlds.World, when: str) -> list[pod_worlds.Manifest]:
    every = world.pod["spec"]["topologySpreadConstraints"]
    return [each for each in every if each["whenUnsatisfiable"] == when]


def _matching_on(world: pod_worlds.World, constraint: pod_worlds.Manifest, node: pod_worlds.Manifest) -> int:
    return sum(
        pod_worlds.selects(constraint["labelSelector"], other["metadata"]["labels"])
        for name, other in world.placed
        if name == node["metadata"]["name"]
        and "deletionTimestamp" not in other["metadata"]
        and other["metadata"]["namespace"] == world.pod["metadata"]["namespace"]
    )


def _domain(world: pod_worlds.World, constraint: pod_worlds.Manifest, value: str) -> list[pod_worlds.Manifest]:
    """The nodes of a domain that count."""
    key = constraint["topologyKey"]
    return [
        each
        for each in world.nodes
        if each["metadata"]["labels"].get(key) == value and _counts(world, constraint, each)
    ]


def _size(world: pod_worlds.World, constraint: pod_worlds.Manifest, value: str) -> int:
    return sum(_matching_on(world, constraint, each) for each in _domain(world, constraint, value))


def _spread_verdict(world: pod_worlds.World, node: pod_worlds.Manifest) -> str:
    for constraint in _constraints(world, "DoNotSchedule"):
        key = constraint["topologyKey"]
        value = node["metadata"]["labels"].get(key)
        if value is None:
            return f"{UNEVEN} (missing required label)"
        values = {each["metadata"]["labels"].get(key) for each in world.nodes} - {None}
        sizes = [_size(world, constraint, each) for each in values if _domain(world, constraint, each)]
        least = min(sizes, default=0) if len(sizes) >= constraint.get("minDomains", 1) else 0
        itself = pod_worlds.selects(constraint["labelSelector"], world.pod["metadata"]["labels"])
        if _size(world, constraint, value) + itself - least > constraint["maxSkew"]:
            return UNEVEN
    return ""


def _crowd(world: pod_worlds.World, node: pod_worlds.Manifest, candidates: list[pod_worlds.Manifest]) -> int:
    total = 0.0
    for constraint in _constraints(world, "ScheduleAnyway"):
        key = constraint["topologyKey"]
        values = {each["metadata"]["labels"][key] for each in candidates}
        value = node["metadata"]["labels"][key]
        size = _matching_on(world, constraint, node) if key == names.HOSTNAME_LABEL else _size(world, constraint, value)
        total += size * math.log(len(values) + 2) + constraint["maxSkew"] - 1
    return math.floor(total + 0.5)


# --- the properties ---------------------------------------------------------------------------------------------------


@hypothesis.given(pod_worlds.worlds(spread=True))
def test_topology_spread_decides_as_it_is_defined(world: pod_worlds.World) -> None:
    cluster = world.cluster()
    found = clusters.verdicts(topology_spread.for_pod(pods.read(world.pod), cluster), cluster)
    assert found == {node["metadata"]["name"]: words for node in world.nodes if (words := _spread_verdict(world, node))}


@hypothesis.given(pod_worlds.worlds(spread=True), strategies.data())
def test_topology_spread_prefers_the_emptier_domains(world: pod_worlds.World, data: strategies.DataObject) -> None:
    cluster = world.cluster()
    asked = data.draw(strategies.lists(strategies.sampled_from(world.nodes), min_size=1, unique_by=id))
    found = topology_spread.preferences(
        pods.read(world.pod), cluster, [cluster.nodes[each["metadata"]["name"]] for each in asked]
    )
    soft = _constraints(world, "ScheduleAnyway")
    if not soft:
        assert found is None
        return
    candidates = [each for each in asked if all(key["topologyKey"] in each["metadata"]["labels"] for key in soft)]
    crowds = {each["metadata"]["name"]: _crowd(world, each, candidates) for each in candidates}
    least, most = min(crowds.values(), default=0), max(crowds.values(), default=0)
    scores = {name: 100 * (most + least - crowd) // most if most else 100 for name, crowd in crowds.items()}
    assert found == {each["metadata"]["name"]: scores.get(each["metadata"]["name"], 0) for each in asked}
