"""What clients do with objects: get, list, create, replace, patch, delete. One object per call, at once.

Law: what is stored went through the rules and through admission; a call that changes nothing writes nothing.
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuronspan_embedded.api_server import admitting, checks, store
from neuronspan_embedded.api_server.rules import fields, kinds, lifecycle, patches, refusals, schemas, selectors

Manifest = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Sources:
    """What a server takes from outside: the time, identities, and the ends of generated names."""

    now: Callable[[], dt.datetime]
    uid: Callable[[], str]
    suffix: Callable[[], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """An object, or with ``name`` "" a collection, that a request is about."""

    kind: kinds.Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How a write is meant."""

    dry_run: bool = False
    user: str = ""
    manager: str = ""
    strict: bool = False  # whether a field that the kind does not have is refused, as kubectl asks for


NO_OPTIONS = Options()


class Verbs:
    """The calls of one API server."""

    def __init__(self, known: store.Store, admission: admitting.Admission, sources: Sources) -> None:
        self.store = known
        self.sources = sources
        self._admission = admission
        self._applied: dict[tuple[str, str], Manifest] = {}  # what a manager applied last, by UID and manager
        self._served: tuple[int, dict[tuple[str, str, str], kinds.Kind]] = (-1, {})

    @property
    def now(self) -> str:
        """The time as objects have it."""
        return timestamp(self.sources.now())

    def served(self) -> Mapping[tuple[str, str, str], kinds.Kind]:
        """Return the kinds that are served now, by group, version and plural."""
        definitions = self.store.all(f"{kinds.CRD}.apiextensions.k8s.io")
        version = sum(int(each["metadata"]["resourceVersion"]) for each in definitions)
        if self._served[0] != version:
            self._served = (version, kinds.table(definitions))
        return self._served[1]

    # --- reading -------------------------------------------------------------------------------------------------

    def get(self, target: Target) -> Manifest:
        """Return an object; raises Refusal when there is none."""
        found = self.store.find(target.kind.resource, target.namespace, target.name)
        if found is None:
            raise refusals.not_found(target.kind.resource, target.name)
        return found

    def list(self, target: Target, selected: selectors.Test, limit: int = 0, continuation: str = "") -> Manifest:
        """Return a collection, or a page of it.

        Later pages say the version of the first one: a watch from there misses nothing of what happened between them.
        """
        version, after = _read_continuation(continuation) if continuation else (str(self.store.version), None)
        items = [each for each in self.store.all(target.kind.resource, target.namespace) if selected(each)]
        if after is not None:
            items = [each for each in items if _place(each) > after]
        metadata = {"resourceVersion": version}
        if limit and len(items) > limit:
            metadata["continue"] = json.dumps([version, *_place(items[limit - 1])])
            metadata["remainingItemCount"] = len(items) - limit  # type: ignore[assignment]
            items = items[:limit]
        return {
            "kind": f"{target.kind.name}List",
            "apiVersion": target.kind.api_version,
            "metadata": metadata,
            "items": items,
        }

    # --- writing -------------------------------------------------------------------------------------------------

    def create(self, target: Target, manifest: Mapping[str, Any], options: Options = NO_OPTIONS) -> Manifest:
        """Store a new object; raises Refusal."""
        kind = target.kind
        fields.refuse_wrong(kind, manifest, strict=options.strict)
        checks.refuse_other_kind(kind, manifest)
        metadata = manifest.get("metadata") or {}
        if metadata.get("namespace") and metadata["namespace"] != target.namespace:
            raise refusals.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        name = target.name or metadata.get("name") or self._generated(metadata.get("generateName"))
        if not name:
            raise refusals.invalid(
                kind.full_name, "", "metadata.name: Required value: name or generateName is required"
            )
        made = lifecycle.created(kind, manifest, target.namespace, name, self.sources.uid(), self.now)
        checks.refuse_invalid(kind, made)
        made = admitting.prepared(self.store, kind, made)
        made = self._admitted(admitting.Write(admitting.CREATE, kind, "", made, None, options.user))
        if self.store.find(kind.resource, target.namespace, name) is not None:
            raise refusals.already_exists(kind.resource, name)
        if metadata.get("resourceVersion"):
            raise refusals.Refusal(500, "resourceVersion should not be set on objects to be created", reason="")
        return made if options.dry_run else self.store.put(kind.resource, made)

    def replace(self, target: Target, manifest: Mapping[str, Any], options: Options = NO_OPTIONS) -> Manifest:
        """Store an object, or its part "status", as it is given; raises Refusal."""
        fields.refuse_wrong(target.kind, manifest, strict=options.strict)
        checks.refuse_other_kind(target.kind, manifest)
        return self._update(target, self.get(target), manifest, options)

    def patch(
        self, target: Target, patch: Mapping[str, Any] | Sequence[Any], form: str, options: Options = NO_OPTIONS
    ) -> Manifest:
        """Change an object, or its part "status", by a patch of this content type; raises Refusal."""
        if form == patches.APPLY:
            return self._apply(target, patch, options)
        checks.refuse_form(target.kind, form)
        current = self.get(target)
        return self._update(target, current, _patched(current, patch, form), options)

    def store_as_is(self, kind: kinds.Kind, manifest: Manifest) -> Manifest:
        """Store a state of an object that no client has written: a subresource's, a deletion's."""
        return self.store.put(kind.resource, manifest)

    # --- inside --------------------------------------------------------------------------------------------------

    def _generated(self, prefix: str | None) -> str:
        return f"{prefix}{self.sources.suffix()}" if prefix else ""

    def _update(self, target: Target, before: Manifest, manifest: Mapping[str, Any], options: Options) -> Manifest:
        kind = target.kind
        fields.refuse_wrong(kind, manifest, strict=options.strict)
        checks.refuse_stale(kind, target.name, before, manifest)
        made = lifecycle.changed(kind, before, manifest, target.subresource)
        if not target.subresource:
            checks.refuse_invalid(kind, made)
        made = self._admitted(admitting.Write(admitting.UPDATE, kind, target.subresource, made, before, options.user))
        if made == before or options.dry_run:
            return made
        if _is_over(kind, made):
            self.store.remove(kind.resource, target.namespace, target.name)
            return made
        return self.store.put(kind.resource, made)

    def _apply(self, target: Target, manifest: Any, options: Options) -> Manifest:
        fields.refuse_wrong(target.kind, manifest, strict=options.strict)
        checks.refuse_other_kind(target.kind, manifest)
        current = self.store.find(target.kind.resource, target.namespace, target.name)
        if current is None:
            result = self.create(target, manifest, options)
        else:
            before = self._applied.get((current["metadata"]["uid"], options.manager), {})
            wanted = patches.applied(current, manifest, before, custom=target.kind.is_custom)
            result = self._update(target, current, wanted, options)
        if not options.dry_run:
            self._applied[result["metadata"]["uid"], options.manager] = dict(manifest)
        return result

    def _admitted(self, write: admitting.Write) -> Manifest:
        """Return the object as admission leaves it, and refuse what its schema or its laws forbid."""
        kind, made = write.kind, self._admission.admitted(write)
        if kind.schema is not None:
            made = schemas.completed(kind.schema, made)
            checks.refuse_nonconforming(kind, made, write.old)
        return made


def timestamp(moment: dt.datetime) -> str:
    """Return a time as Kubernetes writes it: in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _patched(current: Manifest, patch: Any, form: str) -> Manifest:
    if form == patches.JSON:
        return patches.operated(current, patch)
    if form == patches.MERGE:
        result: Manifest = patches.merged(current, patch)
        return result
    return patches.strategic(current, patch)


def _is_over(kind: kinds.Kind, manifest: Manifest) -> bool:
    """Whether an object that is being deleted has nothing left to wait for: no finalizer, no time to end."""
    metadata = manifest["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if kind.name == "Namespace":
        return not manifest["spec"].get("finalizers")
    return not metadata.get("deletionGracePeriodSeconds")


def _place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"].get("namespace") or "", manifest["metadata"]["name"]


def _read_continuation(text: str) -> tuple[str, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(text)
    except ValueError as error:
        raise refusals.bad_request(f"continue key is not valid: {text!r}") from error
    return version, (namespace, name)
