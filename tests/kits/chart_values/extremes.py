"""What a value can be set to: odd things of every type, and things that its schema calls valid, down to every field.

Pure: a schema goes in, values come out, the same ones every time.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema import validators

Schema = Mapping[str, Any]

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 7, 80, 65535, 65536, 2**31 - 1, 2**31, 2**53, 0.1, 0.5, 1.5, 1e300, -0.5,
    "", " ", "a", "x" * 42, "x" * 63, "x" * 64, "x" * 254, "x" * 5000, "A", "a..b", "a.b", "-a", "a-", "a b", "a\n",
    "a/b", "/", "/a", "/a,b", "/a: b", "/a b", "/a/../b", "/{a}", "..", "null", "true", "yes", "1", "0x1", "1e3", "~",
    "*", "&a", "!a", "#", "a #b", "a: b", "{a", "[a", "{}", '"', "'", "\\", "%", "50%", "100%", "101%", "0%", "{{ . }}",
    "$(POD_NAME)", "\u00e9", "\U0001f600", "a@b", "a:1", "host:5000/a", "host:5000/a/", "sha256:" + "0" * 64, "100m",
    "1Ki", "1.5Gi", "9E", "5x", "30s", "1h", "debug", "node", "10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8",
    [], [None], [""], ["a"], [1], [{}], [[]], {}, {"": ""}, {"a": ""}, {"a": None}, {"a": 1}, {"a b": "c"},
    {"a": "b c"}, {"x" * 254 + "/a": "b"}, {"helm.sh/hook": "test"},
    {"example.com/a": "b"}, {"x" * 64: "a"}, {"a": "x" * 64}, {"a": {"b": "c"}}, {"app.kubernetes.io/name": "a"},
)  # fmt: skip
"""Of every type, at the edges of what names, numbers, paths and YAML allow."""

DEEPEST = 6


class Values:
    """A schema of values, and what it says of single ones."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._validator = _LikeHelm(schema)
        self._known: dict[str, list[Any]] = {}
        self._tried: dict[str, tuple[list[Any], list[Any]]] = {}

    def resolved(self, part: Schema) -> Schema:
        """Follow references."""
        while "$ref" in part:
            part = self.schema["definitions"][part["$ref"].rpartition("/")[2]]
        return part

    def accepts(self, part: Schema, value: Any) -> bool:
        """Whether this part of the schema calls the value valid."""
        return bool(self._validator.evolve(schema=part).is_valid(value))

    def paths(self, part: Schema | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Schema]]:
        """Yield every value that has a name, however deep, with its part of the schema."""
        part = self.resolved(self.schema if part is None else part)
        if path:
            yield path, part
        for name, inner in part.get("properties", {}).items():
            yield from self.paths(inner, (*path, name))

    def candidates(self, part: Schema) -> tuple[list[Any], list[Any]]:
        """Return everything to try for a value with this part of the schema: what it accepts, and the rest."""
        key = json.dumps(part)
        if key not in self._tried:
            every = {json.dumps(value): value for value in (*ODD, *self._made(part, DEEPEST))}
            verdicts = [(self.accepts(part, value), value) for value in every.values()]
            good, bad = ([value for verdict, value in verdicts if verdict is wanted] for wanted in (True, False))
            self._tried[key] = (good, bad)
        return self._tried[key]

    def _made(self, part: Schema, depth: int) -> Iterator[Any]:
        """Yield values of the form that the schema says; some are invalid all the same."""
        part = self.resolved(part)
        if depth == 0:
            return
        yield from part.get("enum", [])
        if "const" in part:
            yield part["const"]
        for key in ("anyOf", "allOf", "oneOf"):
            for option in part.get(key, []):
                yield from self._made(option, depth - 1)
        yield from (part[key] for key in ("minimum", "maximum") if key in part)
        if part.get("type") == "array":
            yield from self._lists(part, depth)
        if part.get("type") == "object":
            yield from self._objects(part, depth)

    def _lists(self, part: Schema, depth: int) -> Iterator[list[Any]]:
        items = self._valid(part.get("items", {}), depth)
        yield from ([item] for item in items)
        yield items[-2:]

    def _objects(self, part: Schema, depth: int) -> Iterator[dict[str, Any]]:
        """Yield each field alone beside the ones that must be there, and then all of them together."""
        fields = {name: self._valid(inner, depth) for name, inner in part.get("properties", {}).items()}
        if any(not fields.get(name) for name in part.get("required", [])):
            return
        needed = {name: fields[name][-1] for name in part.get("required", [])}
        for name, values in fields.items():
            yield from ({**needed, name: value} for value in values)
        yield {**needed, **{name: values[-1] for name, values in fields.items() if values}}
        for inner in part.get("patternProperties", {}).values():
            if isinstance(inner, dict):
                yield {f"a{number}": value for number, value in enumerate(self._valid(inner, depth))}

    def _valid(self, part: Schema, depth: int) -> list[Any]:
        key = f"{depth} {json.dumps(part)}"
        if key not in self._known:
            found: Iterable[Any] = (*ODD, *self._made(part, depth - 1))
            kept = {json.dumps(value): value for value in found if self.accepts(part, value)}
            self._known[key] = _few([*kept.values()])
        return self._known[key]


def _few(values: list[Any], most: int = 8) -> list[Any]:
    """Return the first and the last of many."""
    return values if len(values) <= most else [*values[: most // 2], *values[-most // 2 :]]


def _pattern(validator: Any, pattern: str, instance: Any, _schema: Schema) -> Iterator[jsonschema.ValidationError]:
    """Match as helm does: a dollar is the end of the text, and not also the place before a last newline."""
    if validator.is_type(instance, "string") and not re.search(pattern.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


_LikeHelm = validators.extend(jsonschema.Draft7Validator, {"pattern": _pattern})
