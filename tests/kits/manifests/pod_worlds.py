"""Random small worlds of nodes and pods, as manifests, to compare filters with definitions that read nothing else."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies

from kits.manifests import builders, clusters
from neuronspan import names
from neuronspan_operator.objects import nodes, pods
from neuronspan_operator.scheduling import cluster_state

KEYS: Final = ("zone", "rack", names.HOSTNAME_LABEL)
HOMES: Final[Mapping[str, Mapping[str, str]]] = {
    "default": {"kind": "prod"},
    "lab": {"kind": "test"},
    "team": {"kind": "prod"},
}
TAINT: Final = {"key": "dedicated", "value": "ml", "effect": "NoSchedule"}
_SOFT_TAINT: Final = {"key": "dedicated", "value": "ml", "effect": "PreferNoSchedule"}

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class World:
    """Manifests alone: what the definitions read."""

    nodes: tuple[Manifest, ...]
    placed: tuple[tuple[str, Manifest], ...]  # with the name of the node
    pod: Manifest

    def cluster(self) -> cluster_state.Cluster:
        """The same as the filters see it."""
        known = [nodes.read(each) for each in self.nodes]
        return clusters.make_cluster(known, [(node, pods.read(each)) for node, each in self.placed], HOMES)

    def node_of(self, name: str) -> Manifest:
        """The node of this name."""
        return next(each for each in self.nodes if each["metadata"]["name"] == name)


def _labels(**values: strategies.SearchStrategy[str]) -> strategies.SearchStrategy[dict[str, str]]:
    return strategies.fixed_dictionaries({}, optional=dict(values))


_POD_LABELS = _labels(app=strategies.sampled_from(["web", "db"]), tier=strategies.sampled_from(["hot", "cold"]))
_NODE_LABELS = _labels(zone=strategies.sampled_from(["a", "b", "c"]), rack=strategies.sampled_from(["1", "2"]))
_EXPRESSIONS = strategies.one_of(
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
_SELECTORS = strategies.one_of(
    strategies.builds(lambda app: {"matchLabels": {"app": app}}, strategies.sampled_from(["web", "db"])),
    strategies.builds(lambda each: {"matchExpressions": [each]}, _EXPRESSIONS),
)
_NAMESPACES: strategies.SearchStrategy[Manifest] = strategies.sampled_from(
    [
        {},
        {},
        {"namespaces": ["team"]},
        {"namespaceSelector": {}},
        {"namespaceSelector": {"matchLabels": {"kind": "prod"}}},
        {"namespaceSelector": {"matchLabels": {"kind": "test"}}, "namespaces": ["team"]},
    ]
)
_TERMS = strategies.builds(
    lambda key, selector, homes: {"topologyKey": key, "labelSelector": selector, **homes},
    strategies.sampled_from(KEYS),
    strategies.one_of(_SELECTORS, strategies.sampled_from([{}, None])),
    _NAMESPACES,
)
_WISHES = strategies.dictionaries(strategies.integers(1, 100), _TERMS, max_size=2)
_AFFINITIES = strategies.builds(
    lambda near, far, liked, disliked: clusters.affinity(near=near, far=far, liked=liked, disliked=disliked),
    strategies.lists(_TERMS, max_size=2),
    strategies.lists(_TERMS, max_size=2),
    _WISHES,
    _WISHES,
)
_SPREADS = strategies.builds(
    lambda key, selector, skew, more: clusters.spread(key, skew=skew, **{**more, "labelSelector": selector}),
    strategies.sampled_from(KEYS),
    _SELECTORS,
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


@strategies.composite
def pod_manifests(draw: strategies.DrawFn, name: str, *, spread: bool = False) -> Manifest:
    """A pod with terms about other pods, or else with spread constraints and what decides which nodes they count."""
    fields: Manifest = {"namespace": draw(strategies.sampled_from(sorted(HOMES)))}
    if spread:
        fields["selector"] = draw(strategies.sampled_from([{}, {}, {"zone": "a"}]))
        fields["tolerations"] = draw(strategies.sampled_from([[], [{"operator": "Exists"}]]))
    else:
        fields["affinity"] = draw(_AFFINITIES)
    made = builders.make_pod(name, cores=1, deleted=draw(strategies.booleans()), **fields)
    made["metadata"]["labels"] = draw(_POD_LABELS)
    if spread:
        made["spec"]["topologySpreadConstraints"] = draw(strategies.lists(_SPREADS, max_size=3))
    return made


def node_manifests(name: str) -> strategies.SearchStrategy[Manifest]:
    """A node with some labels, and at times with a taint."""
    taints = strategies.sampled_from([[], [], [TAINT], [_SOFT_TAINT]])
    return strategies.builds(
        lambda labels, found: builders.make_node(name, labels=labels, taints=found), _NODE_LABELS, taints
    )


@strategies.composite
def worlds(draw: strategies.DrawFn, *, spread: bool = False) -> World:
    """Up to five nodes with up to eight pods, and one more pod that is to be placed."""
    hosts = [f"w{number}" for number in range(draw(strategies.integers(1, 5)))]
    made = tuple(draw(node_manifests(name)) for name in hosts)
    amount = draw(strategies.integers(0, 8))
    placed = tuple(
        (draw(strategies.sampled_from(hosts)), draw(pod_manifests(f"p{number}", spread=spread)))
        for number in range(amount)
    )
    return World(made, placed, draw(pod_manifests("probe", spread=spread)))


def selects(selector: Manifest | None, labels: Mapping[str, str]) -> bool:
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
