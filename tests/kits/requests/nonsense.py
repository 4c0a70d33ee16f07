"""JSON of any shape, with the names that admission looks for: what no API server sends, and nobody may trip over."""

from typing import Any

from hypothesis import strategies

from kits.requests import drawn
from neuronspan import names

_FIELDS = (
    *("metadata", "spec", "annotations", "labels", "containers", "initContainers", "resources", "limits", "requests"),
    *("claims", "name", "schedulerName", "schedulingGates", "resourceClaims", "nodeName", "restartPolicy", "template"),
    *("jobTemplate", "managedFields", "fieldsV1", "f:spec", "f:containers", 'k:{"name":"app"}'),
)
_KEYS = (*_FIELDS, *drawn.USERS, *drawn.OF_CONTAINERS[:2], *drawn.WRONG_KEYS, *names.RESOURCES)
_ODD = (None, True, 0, -1, 10**30, 1.5, float("nan"), "9" * 5000, "1e999", "\udc80", "\u0664")
_LEAVES = (*_ODD, *drawn.COUNTS, *drawn.QUANTITIES, *drawn.OTHERS)


def nonsense() -> strategies.SearchStrategy[Any]:
    """Draw JSON of any shape, with the names that admission looks for in it."""
    leaves = strategies.one_of(strategies.sampled_from(_LEAVES), strategies.text(max_size=3))
    return strategies.recursive(leaves, lambda inner: _lists(inner) | _objects(inner), max_leaves=12)


def _lists(inner: strategies.SearchStrategy[Any]) -> strategies.SearchStrategy[Any]:
    return strategies.lists(inner, max_size=2)


def _objects(inner: strategies.SearchStrategy[Any]) -> strategies.SearchStrategy[Any]:
    return strategies.dictionaries(strategies.sampled_from(_KEYS), inner, max_size=4)


@strategies.composite
def crippled(draw: strategies.DrawFn) -> Any:
    """Draw a pod with something else in the place of one of its parts."""
    made: Any = draw(drawn.pods())
    place: Any = made
    path = draw(strategies.lists(strategies.integers(0, 5), min_size=1, max_size=6))
    for step in path[:-1]:
        inside = _inside(place)
        if not inside:
            break
        key = inside[step % len(inside)]
        if not _inside(place[key]):
            break
        place = place[key]
    inside = _inside(place)
    place[inside[path[-1] % len(inside)]] = draw(nonsense())
    return made


def _inside(found: Any) -> list[Any]:
    return list(found) if isinstance(found, dict) else list(range(len(found))) if isinstance(found, list) else []
