"""What a URL is about: a document of discovery, a collection, an object or a part of one. Pure."""

import urllib.parse
from collections.abc import Mapping

from neuronspan_embedded.api_server import verbs
from neuronspan_embedded.api_server.rules import kinds, refusals

Table = Mapping[tuple[str, str, str], kinds.Kind]

_CORE_STEPS = 2  # api, v1
_GROUP_STEPS = 3  # apis, group, version
_NAMESPACES = "namespaces"
_PARTS_OF_NAMESPACES = frozenset({"status", "finalize"})


def target(path: str, table: Table) -> verbs.Target:
    """Return what a path of the API names; raises Refusal when nothing is served there."""
    steps = [urllib.parse.unquote(step) for step in path.strip("/").split("/")]
    group, version, rest = _split(steps)
    namespace = ""
    if rest[0] == _NAMESPACES and len(rest) > _CORE_STEPS and rest[2] not in _PARTS_OF_NAMESPACES:
        namespace, rest = rest[1], rest[2:]
    kind = table.get((group, version, rest[0]))
    if kind is None or len(rest) > _GROUP_STEPS or (namespace and not kind.namespaced):
        raise unknown()
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in kind.subresources:
        raise unknown()
    return verbs.Target(kind, namespace, name, subresource)


def unknown() -> refusals.Refusal:
    """Return the refusal of a path at which nothing is served."""
    return refusals.Refusal(404, "the server could not find the requested resource", reason="NotFound")


def _split(steps: list[str]) -> tuple[str, str, list[str]]:
    if steps[0] == "api" and len(steps) > _CORE_STEPS:
        return "", steps[1], steps[_CORE_STEPS:]
    if steps[0] == "apis" and len(steps) > _GROUP_STEPS:
        return steps[1], steps[2], steps[_GROUP_STEPS:]
    raise unknown()
