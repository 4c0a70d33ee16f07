"""Label and field selectors, as list and watch are given them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from neuronspan_embedded.api_server.rules import refusals

Manifest = Mapping[str, Any]
Test = Callable[[Manifest], bool]
"""Says whether an object is selected."""

_SET = re.compile(r"^\s*(?P<key>[^\s,!=()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[^\s,!=()]+)\s*(?P<operator>==|!=|=)\s*(?P<value>[^\s,=()]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<absent>!?)\s*(?P<key>[^\s,!=()]+)\s*$")
_FIELD = re.compile(r"^(?P<path>[^=!]+)(?P<operator>==|!=|=)(?P<value>.*)$")
_BETWEEN = re.compile(r",(?![^(]*\))")


def everything(_: Manifest) -> bool:
    """Select any object."""
    return True


def parsed(labels: str, fields: str) -> Test:
    """Return the test of both selectors; empty ones select everything. Raises Refusal for what cannot be read."""
    tests = [*map(_label_test, _parts(labels)), *map(_field_test, _parts(fields))]
    return (lambda manifest: all(test(manifest) for test in tests)) if tests else everything


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels are selected by the selector of a workload: ``matchLabels`` and ``matchExpressions``."""
    equal = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return equal and all(_expressed(each, labels) for each in selector.get("matchExpressions") or ())


def _expressed(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    answers = {
        "In": key in labels and labels[key] in values,
        "NotIn": key not in labels or labels[key] not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return answers[expression["operator"]]


def _parts(text: str) -> list[str]:
    return [part for part in _BETWEEN.split(text) if part.strip()]


def _label_test(part: str) -> Test:
    if found := _SET.match(part):
        key, values = found["key"], {each.strip() for each in found["values"].split(",")}
        if found["operator"] == "in":
            return lambda manifest: _labels(manifest).get(key) in values
        return lambda manifest: _labels(manifest).get(key) not in values
    if found := _EQUAL.match(part):
        key, value = found["key"], found["value"]
        if found["operator"] == "!=":
            return lambda manifest: _labels(manifest).get(key) != value
        return lambda manifest: _labels(manifest).get(key) == value
    if found := _EXISTS.match(part):
        key, wanted = found["key"], not found["absent"]
        return lambda manifest: (key in _labels(manifest)) is wanted
    raise refusals.bad_request(f"unable to parse requirement: {part.strip()!r} is no label selector")


def _labels(manifest: Manifest) -> Mapping[str, str]:
    return manifest["metadata"].get("labels") or {}


def _field_test(part: str) -> Test:
    found = _FIELD.match(part.strip())
    if found is None:
        raise refusals.bad_request(f"invalid field selector {part!r}: write path=value")
    path, value, wanted = found["path"].split("."), found["value"], found["operator"] != "!="
    return lambda manifest: (_field(manifest, path) == value) is wanted


def _field(manifest: Manifest, path: list[str]) -> str:
    """Return the text at a path, "" where there is nothing, as the zero value of a field is selected."""
    found: Any = manifest
    for step in path:
        found = found.get(step) if isinstance(found, Mapping) else None
    if isinstance(found, bool):
        return str(found).lower()
    return "" if found is None else str(found)
