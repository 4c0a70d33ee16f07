"""Custom resources: what their CustomResourceDefinition's schema fills in, leaves out and refuses.

The schema is checked by jsonschema; CEL rules are not read: ``ledgers`` says what those of NeuronNodes say.
"""

import copy
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema

Schema = Mapping[str, Any]
Manifest = dict[str, Any]

_INT_OR_STRING = "x-kubernetes-int-or-string"
_OPEN = "x-kubernetes-preserve-unknown-fields"
_WHOLE = frozenset({"apiVersion", "kind", "metadata"})


def completed(schema: Schema, manifest: Manifest) -> Manifest:
    """Return an object without the fields that its schema does not know, and with its defaults."""
    own = {key: value for key, value in manifest.items() if key not in _WHOLE}
    completed_own: Manifest = _completed(schema, own)
    return {key: manifest[key] for key in ("apiVersion", "kind", "metadata") if key in manifest} | completed_own


def problems(schema: Schema, manifest: Manifest) -> Iterator[str]:
    """Yield what is wrong with an object, as the API server words it: field, value, and why."""
    own = {key: value for key, value in manifest.items() if key not in _WHOLE}
    for error in _validator(json.dumps(schema, sort_keys=True)).iter_errors(own):
        yield _sentence(error)


def _completed(schema: Schema, value: Any) -> Any:
    if isinstance(value, list):
        items = schema.get("items") or {}
        return [_completed(items, each) for each in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    result = {}
    for key, each in value.items():
        if key in known and each is None and not known[key].get("nullable"):
            continue  # as if it were not there: its default comes in its place
        if key in known:
            result[key] = _completed(known[key], each)
        elif isinstance(others, Mapping):
            result[key] = _completed(others, each)
        elif others or schema.get(_OPEN) or (not known and others is None and "type" not in schema):
            result[key] = copy.deepcopy(each)
    for key, each in known.items():
        if key not in result and "default" in each:
            result[key] = _completed(each, copy.deepcopy(each["default"]))
    return result


@functools.lru_cache(maxsize=32)
def _validator(schema: str) -> jsonschema.Draft4Validator:
    decoded = json.loads(schema)
    decoded["required"] = [each for each in decoded.get("required", ()) if each not in _WHOLE]
    return jsonschema.Draft4Validator(_plain(decoded))


def _plain(schema: Any) -> Any:
    """Return an OpenAPI schema as the JSON schema that means the same."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    result = {key: _plain(value) for key, value in schema.items() if not key.startswith("x-")}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        result["type"] = [schema["type"], "null"]
    if schema.get(_INT_OR_STRING):
        result["type"] = ["integer", "string"]
    if result.get("required") == []:
        del result["required"]  # the draft wants at least one
    return result


def _sentence(error: jsonschema.ValidationError) -> str:
    path = _path(error)
    if error.validator == "required":
        missing = next(each for each in error.validator_value if each not in error.instance)
        return f"{f'{path}.' if path else ''}{missing}: Required value"
    if error.validator == "enum":
        supported = ", ".join(json.dumps(each) for each in error.validator_value)
        return f"{path}: Unsupported value: {json.dumps(error.instance)}: supported values: {supported}"
    return f"{path}: Invalid value: {json.dumps(error.instance)}: {error.message}"


def _path(error: jsonschema.ValidationError) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    return "".join(steps).lstrip(".")
