"""Pod affinity and topology spread, against the sentences of the API's documentation, counted out domain by domain."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import hypothesis
from hypothesis import strategies

from kits.manifests import builders, clusters
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import cluster_state, pod_affinity, topology_spread

KEYS = ("zone", "rack")
HOST = "kubernetes.io/hostname"
HOMES: Mapping[str, Mapping[str, str]] = {
    "default": {"kind": "prod"},
    "lab": {"kind": "test"},
    "team": {"kind": "prod"},
}
NOT_NEAR = "node(s) didn't match pod affinity rules"
TOO_NEAR = "node(s) didn't match pod anti-affinity rules"
UNWELCOME = "node(s) didn't satisfy existing pods anti-affinity rules"
UNEVEN = "node(s) didn't match pod topology spread constraints"

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class _World:
    """Manifests alone: what the definitions read."""

    nodes: tuple[Manifest, ...]
    placed: tuple[tuple[str, Manifest], ...]  # with the name of the node
    pod: Manifest

    def cluster(self) -> cluster_state.Cluster:
        known = [nodes.read(each) for each in self.nodes]
        return clusters.make_cluster(known, [(node, pods.read(each)) for node, each in self.placed], HOMES)

    def node_of(self, name: str) -> Manifest:
        return next(each for each in self.nodes if each["metadata"]["name"] == name)


# --- worlds ----------------------------------------------------------------------------------------------------------


def _labels(**values: strategies.SearchStrategy[str]) -> strategies.SearchStrategy[dict[str, str]]:
    return strategies.fixed_dictionaries({}, optional=dict(values))


POD_LABELS = _labels(app=strategies.sampled_from(["web", "db"]), tier=strategies.sampled_from(["hot", "cold"]))
NODE_LABELS = _labels(zone=strategies.sampled_from(["a", "b", "c"]), rack=strategies.sampled_from(["1", "2"]))
EXPRESSIONS = strategies.one_of(
    strategies.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        strategies.sampled_from(["app", "tier"]),
        strategies.sampled_from(["In", "NotIn"]),
        strategies.lists(strategies.sampled_from(["web", "db", "hot"]), min_size=1, max_size=2, unique=True),
    ),
    strategies.builds(
        lambda key, operator: {"key": key, "operator": operator},
        strategies.sampled_from(["app", "tier"]),
        strategies.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
SELECTORS = strategies.one_of(
    strategies.builds(lambda app: {"matchLabels": {"app": app}}, strategies.sampled_from(["web", "db"])),
    strategies.builds(lambda each: {"matchExpressions": [each]}, EXPRESSIONS),
)
NAMESPACES: strategies.SearchStrategy[Manifest] = strategies.sampled_from(
    [
        {},
        {},
        {"namespaces": ["team"]},
        {"namespaceSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kind": "prod"}}},
        {"namespaceSelector": {"matchLabels": {"kind": "test"}}, "namespaces": ["team"]},
    ]
)
TERMS = strategies.builds(
    lambda key, selector, homes: {"topologyKey": key, "labelSelector": selector, **homes},
    strategies.sampled_from([*KEYS, HOST]),
    strategies.one_of(SELECTORS, strategies.sampled_from([{}, None])),
    NAMESPACES,
)
WISHES = strategies.dictionaries(strategies.integers(1, 100), TERMS, max_size=2)
AFFINITIES = strategies.builds(
    lambda near, far, liked, disliked: clusters.affinity(near=near, far=far, liked=liked, disliked=disliked),
    strategies.lists(TERMS, max_size=2),
    strategies.lists(TERMS, max_size=2),
    WISHES,
    WISHES,
)
SPREADS = strategies.builds(
    lambda key, selector, skew, more: clusters.spread(key, skew=skew, **{**more, "labelSelector": selector}),
    strategies.sampled_from([*KEYS, HOST]),
    SELECTORS,
    strategies.integers(1, 3),
    strategies.fixed_dictionaries(
        {"whenUnsatisfiable": strategies.sampled_from(["DoNotSchedule", "ScheduleAnyway"])},
        optional={
            "minDomains": strategies.integers(1, 4),
            "nodeAffinityPolicy": strategies.sampled_from(["Honor", "Ignore"]),
            "nodeTaintsPolicy": strategies.sampled_from(["Honor", "Ignore"]),
        },
    ),
)
TAINT = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
SOFT_TAINT = {"key": "dedicated", "value": "ml", "effect": "PreferNoSchedule"}


@strategies.composite
def _pods(draw: strategies.DrawFn, name: str, *, spread: bool = False) -> Manifest:
    fields: Manifest = {"namespace": draw(strategies.sampled_from(sorted(HOMES)))}
    if spread:
        fields["selector"] = draw(strategies.sampled_from([{}, {}, {"zone": "a"}]))
        fields["tolerations"] = draw(strategies.sampled_from([[], [{"operator": "Exists"}]]))
    else:
        fields["affinity"] = draw(AFFINITIES)
    made = builders.make_pod(name, cores=1, deleted=draw(strategies.booleans()), **fields)
    made["metadata"]["labels"] = draw(POD_LABELS)
    if spread:
        made["spec"]["topologySpreadConstraints"] = draw(strategies.lists(SPREADS, max_size=3))
    return made


@strategies.composite
def _worlds(draw: strategies.DrawFn, *, spread: bool = False) -> _World:
    names = [f"w{number}" for number in range(draw(strategies.integers(1, 5)))]
    taints = strategies.sampled_from([[], [], [TAINT], [SOFT_TAINT]])
    made = tuple(builders.make_node(name, labels=draw(NODE_LABELS), taints=draw(taints)) for name in names)
    amount = draw(strategies.integers(0, 8))
    placed = tuple(
        (draw(strategies.sampled_from(names)), draw(_pods(f"p{number}", spread=spread))) for number in range(amount)
    )
    return _World(made, placed, draw(_pods("probe", spread=spread)))


# --- the definitions -------------------------------------------------------------------------------------------------


def _selects(selector: Manifest | None, labels: Mapping[str, str]) -> bool:
    """A null selector matches no objects, an empty one all."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    checks = {
        "In": lambda each: labels.get(each["key"]) in each["values"],
        "NotIn": lambda each: labels.get(each["key"]) not in each["values"],
        "Exists": lambda each: each["key"] in labels,
        "DoesNotExist": lambda each: each["key"] not in labels,
    }
    return all(checks[each["operator"]](each) for each in selector.get("matchExpressions") or ())


def _means(owner: Manifest, term: Manifest, other: Manifest) -> bool:
    """namespaces and namespaceSelector are united; neither means the namespace of the pod that has the term."""
    home = other["metadata"]["namespace"]
    homes = set(term.get("namespaces") or ())
    selector = term.get("namespaceSelector")
    if not homes and selector is None:
        homes = {owner["metadata"]["namespace"]}
    if home not in homes and not _selects(selector, HOMES[home]):
        return False
    return _selects(term["labelSelector"], other["metadata"]["labels"])


def _terms(pod: Manifest, kind: str, field: str) -> list[Any]:
    affinity = pod["spec"].get("affinity") or {}
    return list((affinity.get(kind) or {}).get(f"{field}DuringSchedulingIgnoredDuringExecution") or ())


def _together(first: Manifest, second: Manifest, key: str) -> bool:
    """Running on nodes whose value of the label with that key is one and the same."""
    left, right = (each["metadata"]["labels"].get(key) for each in (first, second))
    return left is not None and left == right


def _near(world: _World, node: Manifest) -> bool:
    terms = _terms(world.pod, "podAffinity", "required")

    def by_all(other: Manifest) -> bool:
        return all(_means(world.pod, term, other) for term in terms)

    if any(term["topologyKey"] not in node["metadata"]["labels"] for term in terms):
        return False
    peers = [world.node_of(name) for name, other in world.placed if by_all(other)]
    if all(any(_together(node, peer, term["topologyKey"]) for peer in peers) for term in terms):
        return True
    in_topology = [peer for peer in peers for term in terms if term["topologyKey"] in peer["metadata"]["labels"]]
    return not in_topology and by_all(world.pod)


def _affinity_verdict(world: _World, node: Manifest) -> str:
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


def _pull(world: _World, node: Manifest) -> int:
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


def _counts(world: _World, constraint: Manifest, node: Manifest) -> bool:
    """Whether the node's pods count: inclusion policies, and it has the keys of all constraints of the kind."""
    labels, spec = node["metadata"]["labels"], world.pod["spec"]
    if any(each["topologyKey"] not in labels for each in _constraints(world, constraint["whenUnsatisfiable"])):
        return False
    wanted = (spec.get("nodeSelector") or {}).items()
    if constraint.get("nodeAffinityPolicy") != "Ignore" and any(labels.get(key) != value for key, value in wanted):
        return False
    tainted = TAINT in node["spec"]["taints"] and not spec.get("tolerations")
    return constraint.get("nodeTaintsPolicy") != "Honor" or not tainted


def _constraints(world: _World, when: str) -> list[Manifest]:
    every = world.pod["spec"]["topologySpreadConstraints"]
    return [each for each in every if each["whenUnsatisfiable"] == when]


def _matching_on(world: _World, constraint: Manifest, node: Manifest) -> int:
    return sum(
        _selects(constraint["labelSelector"], other["metadata"]["labels"])
        for name, other in world.placed
        if name == node["metadata"]["name"]
        and "deletionTimestamp" not in other["metadata"]
        and other["metadata"]["namespace"] == world.pod["metadata"]["namespace"]
    )


def _domain(world: _World, constraint: Manifest, value: str) -> list[Manifest]:
    """The nodes of a domain that count."""
    key = constraint["topologyKey"]
    return [
        each
        for each in world.nodes
        if each["metadata"]["labels"].get(key) == value and _counts(world, constraint, each)
    ]


def _size(world: _World, constraint: Manifest, value: str) -> int:
    return sum(_matching_on(world, constraint, each) for each in _domain(world, constraint, value))


def _spread_verdict(world: _World, node: Manifest) -> str:
    for constraint in _constraints(world, "DoNotSchedule"):
        key = constraint["topologyKey"]
        value = node["metadata"]["labels"].get(key)
        if value is None:
            return f"{UNEVEN} (missing required label)"
        values = {each["metadata"]["labels"].get(key) for each in world.nodes} - {None}
        sizes = [_size(world, constraint, each) for each in values if _domain(world, constraint, each)]
        least = min(sizes, default=0) if len(sizes) >= constraint.get("minDomains", 1) else 0
        itself = _selects(constraint["labelSelector"], world.pod["metadata"]["labels"])
        if _size(world, constraint, value) + itself - least > constraint["maxSkew"]:
            return UNEVEN
    return ""


def _crowd(world: _World, node: Manifest, candidates: list[Manifest]) -> int:
    total = 0.0
    for constraint in _constraints(world, "ScheduleAnyway"):
        key = constraint["topologyKey"]
        values = {each["metadata"]["labels"][key] for each in candidates}
        value = node["metadata"]["labels"][key]
        size = _matching_on(world, constraint, node) if key == HOST else _size(world, constraint, value)
        total += size * math.log(len(values) + 2) + constraint["maxSkew"] - 1
    return math.floor(total + 0.5)


def _by_name(found: Mapping[str, str]) -> dict[str, str]:
    return {name: words for name, words in found.items() if words}


# --- the properties --------------------------------------------------------------------------------------------------


@hypothesis.given(_worlds())
def test_pod_affinity_decides_as_it_is_defined(world: _World) -> None:
    cluster = world.cluster()
    found = clusters.verdicts(pod_affinity.for_pod(pods.read(world.pod), cluster), cluster)
    assert found == _by_name({each["metadata"]["name"]: _affinity_verdict(world, each) for each in world.nodes})


@hypothesis.given(_worlds())
def test_pod_affinity_prefers_the_greatest_sum_of_weights(world: _World) -> None:
    cluster = world.cluster()
    found = pod_affinity.preferences(pods.read(world.pod), cluster, list(cluster.nodes.values()))
    sums = {each["metadata"]["name"]: _pull(world, each) for each in world.nodes}
    least, span = min(sums.values()), max(sums.values()) - min(sums.values())
    expected = {name: int(100 * ((each - least) / span)) if span else 0 for name, each in sums.items()}
    assert (found or dict.fromkeys(sums, 0)) == expected


@hypothesis.given(_worlds(spread=True))
def test_topology_spread_decides_as_it_is_defined(world: _World) -> None:
    cluster = world.cluster()
    found = clusters.verdicts(topology_spread.for_pod(pods.read(world.pod), cluster), cluster)
    assert found == _by_name({each["metadata"]["name"]: _spread_verdict(world, each) for each in world.nodes})


@hypothesis.given(_worlds(spread=True), strategies.data())
def test_topology_spread_prefers_the_emptier_domains(world: _World, data: strategies.DataObject) -> None:
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


@hypothesis.given(strategies.booleans().flatmap(lambda spread: _worlds(spread=spread)), strategies.data())
def test_pod_that_came_and_left_leaves_no_trace(world: _World, data: strategies.DataObject) -> None:
    cluster, pod = world.cluster(), pods.read(world.pod)
    before = _all_answers(pod, cluster)
    guests = [
        (data.draw(strategies.sampled_from(sorted(cluster.nodes))), pods.read(data.draw(_pods(f"guest{number}"))))
        for number in range(data.draw(strategies.integers(1, 3)))
    ]
    for node, guest in guests:
        cluster.add(guest, node)
    with_guests = clusters.make_cluster(
        [each.host for each in cluster.nodes.values()],
        [*((node, pods.read(each)) for node, each in world.placed), *guests],
        HOMES,
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
