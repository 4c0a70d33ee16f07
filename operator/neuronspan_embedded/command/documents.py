"""From the text of a file to documents of plain JSON, as kubectl reads YAML; what is hostile is refused in words. Pure.

Dates stay text, keys become text, and aliases are counted: a text of a kilobyte can stand for gigabytes.
"""

from collections.abc import Iterator
from typing import Any

import click
import yaml

MOST_BYTES = 3 * 2**20
"""What kube-apiserver takes in one request."""
MOST_VALUES = 100_000
_DEEPEST = 100
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Safe YAML without dates, which JSON does not have."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(name: str, text: bytes) -> list[Any]:
    """Return the documents of a text that are not empty; raises click.ClickException, which names it."""
    if len(text) > MOST_BYTES:
        raise click.ClickException(f"{name} has {len(text)} bytes: {MOST_BYTES} are read at most")
    try:
        found = list(yaml.load_all(text, Loader=_Loader))
        return [_plain(each, _Measure(name)) for each in found if each is not None]
    except RecursionError:
        raise click.ClickException(f"{name} is nested too deeply to be read") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise click.ClickException(f"{name} cannot be read as YAML: {error}") from error


class _Measure:
    """Counts the values of a document, those behind aliases as often as they stand there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0

    def count(self, depth: int) -> None:
        """Count one value; raises click.ClickException when it is one too many, or too deep."""
        self._values += 1
        if self._values > MOST_VALUES:
            raise click.ClickException(f"{self._name} has more than {MOST_VALUES} values, aliases counted")
        if depth > _DEEPEST:
            raise click.ClickException(f"{self._name} is nested more than {_DEEPEST} deep, or without an end")


def _plain(value: Any, measure: _Measure, depth: int = 0) -> Any:
    measure.count(depth)
    if isinstance(value, dict):
        return {_key(key): _plain(each, measure, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, measure, depth + 1) for each in value]
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError(f"{value} is no number that JSON has")
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"{value!r} is a {type(value).__name__}, which JSON does not have")


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def objects(name: str, documents: list[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of documents, those of lists one by one; raises click.ClickException for what is none."""
    for each in documents:
        if not isinstance(each, dict) or not isinstance(each.get("kind"), str):
            raise click.ClickException(f"{name} has a document without a kind: give manifests of Kubernetes objects")
        if each["kind"].endswith("List") and isinstance(each.get("items"), list):
            yield from objects(name, each["items"])
        elif not isinstance(each.get("apiVersion", "v1"), str):
            raise click.ClickException(f"{name} has a {each['kind']} whose apiVersion is no text")
        elif not isinstance(each.get("metadata"), dict):
            raise click.ClickException(f"{name} has a {each['kind']} without metadata: give it a metadata.name")
        else:
            yield each
