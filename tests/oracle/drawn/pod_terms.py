"""What pods say about other pods, at random: affinity, anti-affinity, spreading."""

from typing import Any, Final

from oracle.drawn import drawing

Manifest = drawing.Manifest
_EVERY_POD: Final = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["none"]}]}


def labels(draw: drawing.Draw) -> dict[str, str]:
    """Draw the labels of a pod."""
    made = {}
    if draw.maybe(0.9):
        made["app"] = draw.mostly(drawing.APPS)
    if draw.maybe(0.6):
        made["tier"] = draw.choice(drawing.TIERS)
    return made


def selector(draw: drawing.Draw, key: str = "app") -> Manifest:
    """Draw a label selector over one key: of equality, of expressions, or of everything."""
    values = drawing.APPS if key == "app" else drawing.TIERS
    kind = draw.random()
    if kind < 0.5:
        return {"matchLabels": {key: draw.mostly(values)}}
    if kind < 0.6:
        return {}
    operator = draw.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    expression: dict[str, Any] = {"key": key, "operator": operator}
    if operator in {"In", "NotIn"}:
        expression["values"] = draw.some(values, 1, 2)
    return {"matchExpressions": [expression]}


def affinity_term(draw: drawing.Draw) -> Manifest:
    """Draw a PodAffinityTerm."""
    term: Manifest = {"topologyKey": drawing.NOWHERE if draw.maybe(0.04) else draw.choice(drawing.TOPOLOGY_KEYS)}
    if draw.maybe(0.95):
        term["labelSelector"] = selector(draw)
        if draw.maybe(0.2):
            term[draw.choice(("matchLabelKeys", "mismatchLabelKeys"))] = ["tier"]
    if draw.maybe(0.3):
        term["namespaces"] = draw.some(drawing.NAMESPACES, 1, 2)
    if draw.maybe(0.3):
        term["namespaceSelector"] = draw.choice(
            (
                {},
                {"matchLabels": {"team": "red"}},
                {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
                {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["red"]}]},
                {"matchLabels": {"kubernetes.io/metadata.name": draw.choice(drawing.NAMESPACES)}},
            )
        )
    return term


def required_terms(draw: drawing.Draw) -> list[Manifest]:
    """Draw one term or two that must hold."""
    return [affinity_term(draw) for _ in range(draw.choice((1, 1, 1, 2)))]


def preferred_terms(draw: drawing.Draw) -> list[Manifest]:
    """Draw terms with weights."""
    return [
        {"weight": draw.choice((1, 10, 50, 100)), "podAffinityTerm": affinity_term(draw)}
        for _ in range(draw.choice((1, 1, 2)))
    ]


def spread_constraints(draw: drawing.Draw, when: str) -> list[Manifest]:
    """Draw topology spread constraints, of different keys as the API wants it."""
    keys = draw.some(drawing.TOPOLOGY_KEYS, 1, 2)
    if draw.maybe(0.03):
        keys.append(drawing.NOWHERE)
    return [_spread_constraint(draw, key, when) for key in keys]


def _spread_constraint(draw: drawing.Draw, key: str, when: str) -> Manifest:
    made: Manifest = {"topologyKey": key, "maxSkew": draw.choice((1, 1, 1, 1, 2, 3)), "whenUnsatisfiable": when}
    if draw.maybe(0.95):
        # an empty selector counts no pods here, other than in pod affinity
        made["labelSelector"] = _EVERY_POD if draw.maybe(0.4) else selector(draw)
        if draw.maybe(0.25):
            made["matchLabelKeys"] = ["tier"]
    if when == "DoNotSchedule" and draw.maybe(0.4):
        made["minDomains"] = draw.randint(2, 4)
    for policy in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        if draw.maybe(0.6):
            made[policy] = draw.choice(("Honor", "Ignore"))
    return made
