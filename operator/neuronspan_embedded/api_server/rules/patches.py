"""Patches as Kubernetes takes them: JSON Patch, JSON Merge Patch, and the strategic merge that knows keys of lists."""

import copy
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import jsonpatch

from neuronspan_embedded.api_server.rules import refusals

Manifest = dict[str, Any]

JSON: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

_DIRECTIVE = "$patch"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"
_PRIMITIVES: Final = "primitives"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "imagePullSecrets": ("name",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "webhooks": ("name",),
    "topologySpreadConstraints": ("topologyKey",),
    "hostAliases": ("ip",),
    "podIPs": ("ip",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
    "finalizers": (_PRIMITIVES,),
    "podCIDRs": (_PRIMITIVES,),
}
"""The lists of built-in kinds that a strategic merge merges, by the key of their items; all others are replaced."""


def merged(target: Any, patch: Any) -> Any:
    """Return what a JSON Merge Patch (RFC 7396) makes of a value."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def operated(target: Manifest, operations: Sequence[Mapping[str, Any]]) -> Manifest:
    """Return what a JSON Patch (RFC 6902) makes of an object; raises Refusal."""
    try:
        result: Manifest = jsonpatch.apply_patch(target, list(operations))
    except jsonpatch.InvalidJsonPatch as error:
        raise refusals.bad_request(f"error decoding patch: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise refusals.Refusal(422, f"the server rejected our request due to an error in our request: {error}") from (
            error
        )
    return result


def strategic(target: Any, patch: Mapping[str, Any]) -> Manifest:
    """Return what a strategic merge patch makes of an object of a built-in kind."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != _DIRECTIVE}
    result = dict(target) if isinstance(target, Mapping) else {}
    for key in set(result) - set(patch.get(_RETAIN, result)):
        del result[key]
    for key, value in patch.items():
        if key.startswith(_DELETE_PRIMITIVES):
            field = key.removeprefix(_DELETE_PRIMITIVES)
            result[field] = [each for each in result.get(field) or () if each not in value]
        elif value is None:
            result.pop(key, None)
        elif not key.startswith("$"):
            _put(result, key, value, patch.get(_ORDER + key))
    return result


def _put(result: Manifest, key: str, value: Any, order: Sequence[Any] | None) -> None:
    if isinstance(value, Mapping):
        if value.get(_DIRECTIVE) == "delete":
            result.pop(key, None)
        else:
            result[key] = strategic(result.get(key), value)
    elif isinstance(value, list) and key in _KEYS:
        result[key] = _list(result.get(key) or [], value, _KEYS[key], order)
    else:
        result[key] = copy.deepcopy(value)


def _list(current: list[Any], patch: list[Any], keys: tuple[str, ...], order: Sequence[Any] | None) -> list[Any]:
    if any(isinstance(each, Mapping) and each.get(_DIRECTIVE) == "replace" for each in patch):
        return [copy.deepcopy(each) for each in patch if _DIRECTIVE not in each]
    key = _identity(keys, (*patch, *current))
    items = {key(each): each for each in current}
    for each in patch:
        if isinstance(each, Mapping) and each.get(_DIRECTIVE) == "delete":
            items.pop(key(each), None)
        else:
            known = items.get(key(each))
            items[key(each)] = strategic(known, each) if isinstance(each, Mapping) else each
    first = [key(each) for each in (patch if order is None else order) if key(each) in items]
    return [items[name] for name in _ordered(first, items, [key(each) for each in current])]


def _identity(keys: tuple[str, ...], items: Iterable[Any]) -> Callable[[Any], Any]:
    """Return what tells items of a list apart: their key, or they themselves when they are plain values."""
    if keys == (_PRIMITIVES,):
        return lambda item: item
    found = next((key for key in keys for each in items if isinstance(each, Mapping) and key in each), keys[0])
    return lambda item: item.get(found) if isinstance(item, Mapping) else item


def _ordered(patched: list[Any], items: Mapping[Any, Any], before: list[Any]) -> list[Any]:
    """Return the names of items: those of the patch in its order, among them those that only the object has.

    The latter stand before the next one of the patch only when they stood before it in the object too.
    """
    mine = list(dict.fromkeys(patched))
    theirs = [name for name in items if name not in set(mine)]
    places = {name: place for place, name in enumerate(before)}
    result = []
    while mine and theirs:
        both = theirs[0] in places and mine[0] in places
        result.append((theirs if both and places[theirs[0]] < places[mine[0]] else mine).pop(0))
    return list(itertools.chain(result, mine, theirs))


def applied(target: Manifest, manifest: Mapping[str, Any], before: Mapping[str, Any], *, custom: bool) -> Manifest:
    """Return what server-side apply makes of an object, in its simple form: the manager owns what it applied before.

    What it applied ``before`` and does not any more goes; no field has a second owner, so nothing ever conflicts.
    """
    kept = _without(target, before, manifest)
    return merged(kept, manifest) if custom else strategic(kept, manifest)


def _without(target: Any, before: Any, now: Any) -> Any:
    """Return a value without the fields that were applied before and are not now."""
    if not (isinstance(target, Mapping) and isinstance(before, Mapping) and isinstance(now, Mapping)):
        return target
    result = dict(target)
    for key, value in before.items():
        if key not in now:
            result.pop(key, None)
        elif key in result:
            result[key] = _kept(key, result[key], value, now[key])
    return result


def _kept(key: str, target: Any, before: Any, now: Any) -> Any:
    if not (isinstance(target, list) and isinstance(before, list) and isinstance(now, list) and key in _KEYS):
        return _without(target, before, now)
    identity = _identity(_KEYS[key], (*target, *before, *now))
    old, new = ({identity(each): each for each in items} for items in (before, now))
    gone = old.keys() - new.keys()
    return [
        _without(each, old.get(identity(each)), new.get(identity(each)))
        for each in target
        if identity(each) not in gone
    ]
