"""From a decoded request to its answer: which call of which verb it is. No HTTP, no waiting."""

import dataclasses
import http
from collections.abc import Mapping
from typing import Any

from neuronspan_embedded.api_server import deleting, subresources, verbs, watching
from neuronspan_embedded.api_server.rules import patches, refusals, selectors

Manifest = dict[str, Any]

_TRUE = frozenset({"true", "1"})
_WATCH_SECONDS = 1800.0


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    target: verbs.Target
    query: Mapping[str, str]
    body: Any
    content_type: str = "application/json"

    @property
    def watches(self) -> bool:
        """Whether it is answered by a stream of events."""
        return self.method == "GET" and self.query.get("watch") in _TRUE

    @property
    def selected(self) -> selectors.Test:
        """The objects of a collection that it is about."""
        return selectors.parsed(self.query.get("labelSelector", ""), self.query.get("fieldSelector", ""))

    @property
    def options(self) -> verbs.Options:
        """How a write is meant."""
        dry = "dryRun" in self.query or bool(isinstance(self.body, Mapping) and self.body.get("dryRun"))
        strict = self.query.get("fieldValidation") == "Strict"
        return verbs.Options(dry, manager=self.query.get("fieldManager", ""), strict=strict)


def answer(calls: verbs.Verbs, asked: Asked) -> tuple[int, Manifest]:
    """Return status and body of the answer; raises Refusal."""
    if asked.target.subresource not in {"", "status"}:
        return _of_part(calls, asked)
    if asked.method == "GET":
        return http.HTTPStatus.OK, _read(calls, asked)
    if asked.method == "DELETE":
        return http.HTTPStatus.OK, _deleted(calls, asked)
    if asked.method == "POST" and not asked.target.name:
        return http.HTTPStatus.CREATED, calls.create(_in_namespace(asked), asked.body, asked.options)
    if asked.method == "PUT" and asked.target.name:
        return http.HTTPStatus.OK, calls.replace(asked.target, asked.body, asked.options)
    if asked.method == "PATCH" and asked.target.name:
        return _patched(calls, asked)
    raise _not_allowed()


def watch(asked: Asked) -> watching.Wanted:
    """Return what a request to watch wants."""
    query = asked.query
    return watching.Wanted(
        asked.target,
        asked.selected,
        query.get("resourceVersion", ""),
        float(query.get("timeoutSeconds") or _WATCH_SECONDS),
        query.get("allowWatchBookmarks") in _TRUE,
        query.get("sendInitialEvents") in _TRUE,
    )


def install(calls: verbs.Verbs, target: verbs.Target, definition: Mapping[str, Any]) -> None:
    """Store a CustomResourceDefinition as one that is served from now on."""
    made = calls.create(target, definition)
    served = [{"type": each, "status": "True", "reason": each} for each in ("NamesAccepted", "Established")]
    names = {**made["spec"]["names"]}
    stored = [each["name"] for each in made["spec"]["versions"] if each.get("storage")]
    calls.store_as_is(
        target.kind, {**made, "status": {"conditions": served, "acceptedNames": names, "storedVersions": stored}}
    )


def _read(calls: verbs.Verbs, asked: Asked) -> Manifest:
    if asked.target.name:
        return calls.get(asked.target)
    limit = int(asked.query.get("limit") or 0)
    found = calls.list(asked.target, asked.selected, limit, asked.query.get("continue", ""))
    return found if asked.target.kind.is_custom else {**found, "items": list(map(_bare, found["items"]))}


def _bare(manifest: Manifest) -> Manifest:
    """Return an item of a list of a built-in kind: the list says what they are."""
    return {field: value for field, value in manifest.items() if field not in {"apiVersion", "kind"}}


def _deleted(calls: verbs.Verbs, asked: Asked) -> Manifest:
    wish = deleting.read(asked.body if isinstance(asked.body, Mapping) else {}, asked.query)
    if asked.target.name:
        return deleting.delete(calls, asked.target, wish)
    return deleting.delete_all(calls, asked.target, asked.selected, wish)


def _patched(calls: verbs.Verbs, asked: Asked) -> tuple[int, Manifest]:
    target = asked.target
    is_new = calls.store.find(target.kind.resource, target.namespace, target.name) is None
    made = calls.patch(target, asked.body, asked.content_type, asked.options)
    return (http.HTTPStatus.CREATED if is_new else http.HTTPStatus.OK), made


def _of_part(calls: verbs.Verbs, asked: Asked) -> tuple[int, Manifest]:
    target, part = asked.target, asked.target.subresource
    if part == "binding" and asked.method == "POST":
        return http.HTTPStatus.CREATED, subresources.bind(calls, target, asked.body, asked.options)
    if part == "eviction" and asked.method == "POST":
        return http.HTTPStatus.CREATED, subresources.evict(calls, target, asked.body, asked.options)
    if part == "finalize" and asked.method == "PUT":
        return http.HTTPStatus.OK, subresources.finalize(calls, target, asked.body)
    if part == "scale":
        return http.HTTPStatus.OK, _scaled(calls, asked)
    raise _not_allowed()


def _scaled(calls: verbs.Verbs, asked: Asked) -> Manifest:
    if asked.method == "GET":
        return subresources.scale(calls, asked.target)
    if asked.method == "PUT":
        return subresources.rescale(calls, asked.target, lambda _: asked.body, asked.options)
    if asked.method == "PATCH":

        def change(scale: Manifest) -> Mapping[str, Any]:
            is_json = asked.content_type == patches.JSON
            changed: Mapping[str, Any] = (patches.operated if is_json else patches.merged)(scale, asked.body)
            return changed

        return subresources.rescale(calls, asked.target, change, asked.options)
    raise _not_allowed()


def _in_namespace(asked: Asked) -> verbs.Target:
    """Return where an object is created; one with a namespace may also be posted to the collection of all."""
    target = asked.target
    if target.kind.namespaced and not target.namespace:
        named = (asked.body.get("metadata") or {}).get("namespace") or ""
        if not named:
            raise refusals.bad_request("an empty namespace may not be set during creation")
        return dataclasses.replace(target, namespace=named)
    return target


def _not_allowed() -> refusals.Refusal:
    return refusals.Refusal(405, "the server does not allow this method on the requested resource")
