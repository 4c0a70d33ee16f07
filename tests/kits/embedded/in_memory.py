"""The embedded API server with the calls of ``kube.Client``: no HTTP, no clock; and what others do to it meanwhile.

Every call is answered by the product's own rules and store; it fails only by them, or by a fault that a test asks for.
"""

import asyncio
import collections
import functools
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, TypeVar

import yaml

from kits.api_server import control_plane
from kits.embedded import cluster, rewinding, streams
from neuronspan_agent import errors, kube, resources
from neuronspan_embedded.api_server import admitting, requests, verbs
from neuronspan_embedded.api_server.rules import fields, kinds, lifecycle, refusals

Manifest = dict[str, Any]
Rule = Callable[[resources.Resource, Manifest], str]
"""Says what is wrong with an object that a client writes, "" when nothing is."""
Fault = errors.KubernetesError | Callable[[], None] | asyncio.Event

_Value = TypeVar("_Value")
_NAMESPACES = ("default", "kube-system")
_OF_THE_SERVER = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")
_GRACE_SECONDS = 30


class _Rules:
    """Admission by the rules of a test."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def admitted(self, write: admitting.Write) -> Manifest:
        """Return the object; raises Refusal in the words of the first rule that it breaks."""
        kind = write.kind
        resource = resources.Resource(kind.group, kind.version, kind.plural)
        for problem in filter(None, (rule(resource, write.new) for rule in self.rules)):
            raise refusals.Refusal(422, problem)
        return write.new


class ApiServer:
    """An API server with the chart's custom resources; ``calls`` lists what was asked, as "verb path"."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.faults: dict[str, collections.deque[Fault]] = collections.defaultdict(collections.deque)
        self._admission = _Rules()
        self._store = rewinding.RewindingStore()
        self._store.restore(_empty_cluster())
        self._streams = streams.Streams(self._store)
        self._verbs = verbs.Verbs(self._store, self._admission, cluster.sources())

    # --- what a test does ----------------------------------------------------------------------------------------

    @property
    def rules(self) -> list[Rule]:
        """What is refused beside what the server refuses itself."""
        return self._admission.rules

    @property
    def watchers(self) -> int:
        """Number of open watch streams."""
        return len(self._streams)

    def put(self, resource: resources.Resource, manifest: Mapping[str, Any]) -> Manifest:
        """Store an object as a whole, its status too, as if others had made it so: with defaults, without checks."""
        given = _copied(dict(manifest))
        told = given.setdefault("metadata", {})
        kind, namespace = self._kind(resource), told.get("namespace", "")
        uid = told.get("uid") or str(uuid.uuid4())
        told["uid"] = uid
        made = self._completed(kind, given, namespace, uid)
        made["metadata"] |= {field: told[field] for field in _OF_THE_SERVER if field in told}
        if resource == resources.PODS and "deletionTimestamp" in told:
            made["metadata"].setdefault("deletionGracePeriodSeconds", _GRACE_SECONDS)
        if "status" in given:
            made["status"] = {**made.get("status", {}), **given["status"]}
        return _copied(self._store.put(kind.resource, made))

    def stored(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        """Return the stored object; fails when there is none."""
        found = self._store.find(self._kind(resource).resource, namespace, name)
        assert found is not None, f"there is no {resource} {name}"
        return _copied(found)

    def all(self, resource: resources.Resource) -> list[Manifest]:
        """Return all stored objects of a resource."""
        return [_copied(each) for each in self._store.all(self._kind(resource).resource)]

    def has(self, resource: resources.Resource, name: str, namespace: str = "") -> bool:
        """Whether there is such an object."""
        return self._store.find(self._kind(resource).resource, namespace, name) is not None

    def remove(self, resource: resources.Resource, name: str, namespace: str = "", *, silently: bool = False) -> None:
        """Take an object away; silently = no watch ever tells."""
        gone = self._store.remove(self._kind(resource).resource, namespace, name)
        if silently:
            self._streams.miss(int(gone["metadata"]["resourceVersion"]))

    def on_write(self, check: Callable[[], None]) -> None:
        """Call this after every write, of whoever it is."""
        self._store.listeners.add(check)

    def fail(self, call: str, *faults: Fault) -> None:
        """Let the next calls that start with this text ("merge_patch neuronnodes") meet these faults, one each."""
        self.faults[call].extend(faults)

    def mute(self, *of: resources.Resource) -> None:
        """Let watches of these resources (all when none is named) get nothing: caches fall behind."""
        self._streams.mute(map(str, of))

    def unmute(self) -> None:
        """Let watches get what happens from now on."""
        self._streams.unmute()

    def catch_up(self) -> None:
        """Let watches get late what was kept from them, and then what happens."""
        self._streams.catch_up()

    def end_streams(self, error: errors.KubernetesError | None = None) -> None:
        """End all watch streams, silently or with an error."""
        self._streams.tell(error)

    def compact(self) -> None:
        """Forget the history: watches from an older version get 410."""
        self._store.forget()

    def backup(self) -> Callable[[], None]:
        """Return what restores the server as it is now: versions go back, and nothing says so."""
        saved = self._store.backup()

        def restore() -> None:
            self._store.restore(saved)
            self._streams.rewound()

        return restore

    def bookmark(self, resource: resources.Resource) -> None:
        """Tell all watches of a resource how far they are."""
        event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self._store.version)}}}
        self._streams.tell(event, str(resource))

    # --- the calls of kube.Client --------------------------------------------------------------------------------

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        await self._enter("get", resource, name)
        return self._answer("GET", self._target(resource, name, namespace))

    async def list_page(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,
        *,
        limit: int = 0,
        continuation: str = "",
    ) -> Manifest:
        await self._enter("list", resource)
        query = {**selector.query(), "limit": str(limit), "continue": continuation}
        return self._answer("GET", self._target(resource), query=query)

    async def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,  # noqa: ARG002  no test watches a part
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[Manifest, None]:
        await self._enter("watch", resource)
        target = self._target(resource)
        async for event in self._streams.follow(
            target, resource_version, silence_seconds, stream_seconds, f"watch {resource}"
        ):
            yield event

    async def create(self, resource: resources.Resource, manifest: Mapping[str, Any], namespace: str = "") -> Manifest:
        await self._enter("create", resource, manifest["metadata"]["name"])
        return self._answer("POST", self._target(resource, "", namespace), manifest)

    async def replace(
        self, resource: resources.Resource, name: str, manifest: Manifest, namespace: str = ""
    ) -> Manifest:
        await self._enter("replace", resource, name)
        return self._answer("PUT", self._target(resource, name, namespace), manifest)

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        await self._enter("merge_patch", resource, name, subresource)
        target = self._target(resource, name, namespace, subresource)
        return self._answer("PATCH", target, patch, content_type=kube.MERGE_PATCH)

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        await self._enter("strategic_patch", resource, name, subresource)
        target = self._target(resource, name, namespace, subresource)
        return self._answer("PATCH", target, patch, content_type=kube.STRATEGIC_PATCH)

    async def json_patch(
        self, resource: resources.Resource, name: str, operations: Sequence[Manifest], namespace: str = ""
    ) -> Manifest:
        await self._enter("json_patch", resource, name)
        return self._answer("PATCH", self._target(resource, name, namespace), operations, content_type=kube.JSON_PATCH)

    async def bind(self, name: str, namespace: str, binding: Mapping[str, Any]) -> None:
        await self._enter("bind", resources.PODS, name)
        self._answer("POST", self._target(resources.PODS, name, namespace, "binding"), binding)

    async def delete(
        self,
        resource: resources.Resource,
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        await self._enter("delete", resource, name)
        options = {"preconditions": {"uid": uid, "resourceVersion": resource_version}}
        self._answer("DELETE", self._target(resource, name, namespace), options)

    async def evict(self, name: str, namespace: str, *, uid: str) -> None:
        await self._enter("evict", resources.PODS, name)
        eviction = {"deleteOptions": {"preconditions": {"uid": uid}}}
        self._answer("POST", self._target(resources.PODS, name, namespace, "eviction"), eviction)

    # --- inside --------------------------------------------------------------------------------------------------

    def _completed(self, kind: kinds.Kind, given: Manifest, namespace: str, uid: str) -> Manifest:
        """Return an object with its defaults; one that makes no sense stays as it is: older servers let it in."""
        try:
            fields.refuse_wrong(kind, given, strict=False)
        except refusals.Refusal:
            return given
        return lifecycle.created(kind, given, namespace, given["metadata"]["name"], uid, self._verbs.now)

    async def _enter(self, verb: str, resource: resources.Resource, name: str = "", subresource: str = "") -> None:
        call = " ".join(part for part in (verb, resource.plural, name, subresource) if part)
        self.calls.append(call)
        await asyncio.sleep(0)  # every real call lets others run
        for prefix, faults in self.faults.items():
            if call.startswith(prefix) and faults:
                await _meet(faults.popleft())
                return

    def _answer(
        self,
        method: str,
        target: verbs.Target,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        asked = requests.Asked(method, target, query or {}, _copied(body or {}), content_type)
        try:
            return _copied(requests.answer(self._verbs, asked)[1])
        except refusals.Refusal as refusal:
            raise errors.of_status(f"{method} {target.kind.plural}/{target.name}", refusal.status) from refusal

    def _target(
        self, resource: resources.Resource, name: str = "", namespace: str = "", subresource: str = ""
    ) -> verbs.Target:
        return verbs.Target(self._kind(resource), namespace, name, subresource)

    def _kind(self, resource: resources.Resource) -> kinds.Kind:
        return self._verbs.served()[resource.group, resource.version, resource.plural]


@functools.cache
def _empty_cluster() -> rewinding.Backup:
    """Return what every cluster has: its namespaces, and the kinds that the chart declares."""
    begun = rewinding.RewindingStore()
    calls = verbs.Verbs(begun, admitting.AdmitAll(), cluster.sources())
    table = calls.served()
    for name in _NAMESPACES:
        calls.create(verbs.Target(table["", "v1", "namespaces"]), {"metadata": {"name": name}})
    for path in sorted(control_plane.CRDS.glob("*.yaml")):
        target = verbs.Target(table["apiextensions.k8s.io", "v1", kinds.CRD])
        requests.install(calls, target, yaml.safe_load(path.read_text()))
    return begun.backup()


def _copied(value: _Value) -> _Value:
    """Return what arrives at the other end of a wire."""
    arrived: _Value = json.loads(json.dumps(value))
    return arrived


async def _meet(fault: Fault) -> None:
    if isinstance(fault, errors.KubernetesError):
        raise fault
    if isinstance(fault, asyncio.Event):
        await fault.wait()
    else:
        fault()
