"""An API server in memory with the calls of ``kube.Client``: resourceVersions, compare-and-swap, watches, faults.

It validates nothing: what the real API server refuses is tested against the real one.
"""

import asyncio
import collections
import copy
import dataclasses
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any

import jsonpatch

from neuronspan_agent import errors, resources

Manifest = dict[str, Any]
Rule = Callable[[resources.Resource, Manifest], str]
"""Says what is wrong with an object that a client writes, "" when nothing is."""
Fault = errors.KubernetesError | Callable[[], None] | asyncio.Event


@dataclasses.dataclass
class _Watcher:
    path: str
    after: int
    events: "asyncio.Queue[Manifest | errors.KubernetesError | None]"


class FakeKube:
    """Objects by collection path; ``calls`` lists what was asked, as "verb path"."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.rules: list[Rule] = []
        self.faults: dict[str, collections.deque[Fault]] = collections.defaultdict(collections.deque)
        self._muted: frozenset[str] = frozenset()
        self._objects: dict[str, dict[str, Manifest]] = collections.defaultdict(dict)
        self._history: list[tuple[int, str, Manifest]] = []
        self._oldest = 0
        self._latest = 0
        self._watchers: list[_Watcher] = []
        self._late: list[tuple[_Watcher, Manifest]] = []

    # --- what a test does ----------------------------------------------------------------------------------------

    def put(self, resource: resources.Resource, manifest: Mapping[str, Any]) -> Manifest:
        """Store an object behind the operator's back, as another client would."""
        copied = copy.deepcopy(dict(manifest))
        metadata = copied.setdefault("metadata", {})
        metadata.setdefault("uid", str(uuid.uuid4()))
        name = metadata["name"]
        known = name in self._objects[_collection(resource, metadata.get("namespace", ""))]
        return self._store(resource, copied, "MODIFIED" if known else "ADDED")

    def stored(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        """Return the stored object; fails when there is none."""
        return copy.deepcopy(self._objects[_collection(resource, namespace)][name])

    def all(self, resource: resources.Resource) -> list[Manifest]:
        """Return all stored objects of a resource."""
        return [copy.deepcopy(each) for path in self._paths(resource) for each in self._objects[path].values()]

    def remove(self, resource: resources.Resource, name: str, namespace: str = "", *, silently: bool = False) -> None:
        """Take an object away; silently = no watch ever tells."""
        gone = self._objects[_collection(resource, namespace)].pop(name)
        self._latest = self._latest + 1
        gone["metadata"]["resourceVersion"] = str(self._latest)
        if silently:
            self._oldest = self._latest
        else:
            self._tell(resource, "DELETED", gone)

    def fail(self, call: str, *faults: Fault) -> None:
        """Let the next calls that start with this text ("merge_patch neuronnodes") meet these faults, one each."""
        self.faults[call].extend(faults)

    def mute(self, *kinds: resources.Resource) -> None:
        """Let watches of these resources (all when none is named) get nothing: caches fall behind."""
        everything = resources.PODS, resources.NODES, resources.NEURON_NODES, resources.NEURON_POOLS
        self._muted = frozenset(map(str, kinds or everything))

    def unmute(self) -> None:
        """Let watches get what happens from now on."""
        self._muted = frozenset()

    def catch_up(self) -> None:
        """Let watches get late what was kept from them, and then what happens."""
        self.unmute()
        for watcher, event in self._late:
            watcher.events.put_nowait(event)
        self._late.clear()

    def end_streams(self, error: errors.KubernetesError | None = None) -> None:
        """End all watch streams, silently or with an error."""
        for watcher in self._watchers:
            watcher.events.put_nowait(error)

    def compact(self) -> None:
        """Forget the history: watches from an older version get 410."""
        self._oldest = self._latest

    def backup(self) -> Callable[[], None]:
        """Return what restores the server as it is now: versions go back, and nothing says so."""
        objects, latest = copy.deepcopy(self._objects), self._latest

        def restore() -> None:
            self._objects, self._latest = copy.deepcopy(objects), latest
            self._history = [each for each in self._history if each[0] <= latest]

        return restore

    def bookmark(self, resource: resources.Resource) -> None:
        """Tell all watches of a resource how far they are."""
        event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self._latest)}}}
        for watcher in self._watchers:
            if watcher.path == str(resource):
                watcher.events.put_nowait(event)

    @property
    def watchers(self) -> int:
        """Number of open watch streams."""
        return len(self._watchers)

    # --- what the operator calls ---------------------------------------------------------------------------------

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        await self._enter("get", resource, name)
        return copy.deepcopy(self._find(resource, name, namespace))

    async def list_page(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,  # of which only the namespace counts here
        *,
        limit: int = 0,
        continuation: str = "",
    ) -> Manifest:
        await self._enter("list", resource)
        within = selector.namespace
        everything = [each for each in self.all(resource) if within in {"", each["metadata"].get("namespace")}]
        start = int(continuation or 0)
        rest = len(everything) > start + limit > start
        page = everything[start : start + limit] if limit else everything
        following = {"continue": str(start + limit)} if rest else {}
        return {"items": page, "metadata": {"resourceVersion": str(self._latest), **following}}

    async def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,  # noqa: ARG002  the fake sends everything
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[Manifest, None]:
        await self._enter("watch", resource)
        if int(resource_version) < self._oldest:
            raise errors.Gone(f"too old resource version: {resource_version}", status=410)
        watcher = _Watcher(str(resource), int(resource_version), asyncio.Queue())
        for version, kind, event in self._history:
            if kind == str(resource) and version > int(resource_version):
                watcher.events.put_nowait(event)
        self._watchers.append(watcher)
        try:
            async for event in _until_end(watcher, silence_seconds, stream_seconds):
                yield event
        finally:
            self._watchers.remove(watcher)

    async def create(self, resource: resources.Resource, manifest: Mapping[str, Any], namespace: str = "") -> Manifest:
        name = manifest["metadata"]["name"]
        await self._enter("create", resource, name)
        if name in self._objects[_collection(resource, namespace)]:
            raise errors.Conflict(f"{name} exists", status=409, reason="AlreadyExists")
        metadata = {"uid": str(uuid.uuid4()), **({"namespace": namespace} if namespace else {}), **manifest["metadata"]}
        return self._store(resource, {**copy.deepcopy(dict(manifest)), "metadata": metadata}, "ADDED")

    async def replace(
        self, resource: resources.Resource, name: str, manifest: Manifest, namespace: str = ""
    ) -> Manifest:
        await self._enter("replace", resource, name)
        _compare_version(self._find(resource, name, namespace), manifest)
        return self._store(resource, copy.deepcopy(manifest), "MODIFIED")

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        await self._enter("merge_patch", resource, name, subresource)
        current = self._find(resource, name, namespace)
        _compare_version(current, patch)
        merged = _merged(current, patch)
        for problem in filter(None, (rule(resource, merged) for rule in self.rules)):
            raise errors.Invalid(problem, status=422, reason="Invalid")
        return self._store(resource, merged, "MODIFIED")

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        await self._enter("strategic_patch", resource, name, subresource)
        current = self._find(resource, name, namespace)
        _compare_version(current, patch)
        if patch["metadata"].get("uid", current["metadata"]["uid"]) != current["metadata"]["uid"]:
            raise errors.Conflict(f"{name} is another one now", status=409)
        merged = _merged(current, patch)
        if "conditions" in patch.get("status", {}):
            merged["status"]["conditions"] = _by_key(
                "type", current["status"].get("conditions", ()), patch["status"]["conditions"]
            )
        if "webhooks" in patch:
            merged["webhooks"] = _by_key("name", current.get("webhooks", ()), patch["webhooks"])
        return self._store(resource, merged, "MODIFIED")

    async def bind(self, name: str, namespace: str, binding: Mapping[str, Any]) -> None:
        await self._enter("bind", resources.PODS, name)
        current = self._find(resources.PODS, name, namespace)
        _compare_version(current, binding)
        if binding["metadata"]["uid"] != current["metadata"]["uid"] or current["spec"].get("nodeName"):
            raise errors.Conflict(f"{name} is another one now, or bound", status=409)
        scheduled = {"type": "PodScheduled", "status": "True"}
        conditions = _by_key("type", current["status"].get("conditions", ()), [scheduled])
        annotations = binding["metadata"]["annotations"]
        node = binding["target"]["name"]
        change = {
            "metadata": {"annotations": annotations},
            "spec": {"nodeName": node},
            "status": {"conditions": conditions},
        }
        self._store(resources.PODS, _merged(current, change), "MODIFIED")

    async def json_patch(
        self, resource: resources.Resource, name: str, operations: Sequence[Manifest], namespace: str = ""
    ) -> Manifest:
        await self._enter("json_patch", resource, name)
        try:
            changed = jsonpatch.apply_patch(self._find(resource, name, namespace), list(operations))
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise errors.Invalid(f"patch of {name}: {error}", status=422) from error
        return self._store(resource, changed, "MODIFIED")

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
        metadata = self._find(resource, name, namespace)["metadata"]
        if (uid and uid != metadata["uid"]) or (resource_version and resource_version != metadata["resourceVersion"]):
            raise errors.Conflict(f"{name} is another one now", status=409)
        self.remove(resource, name, namespace)

    async def evict(self, name: str, namespace: str, *, uid: str) -> None:
        await self._enter("evict", resources.PODS, name)
        if self._find(resources.PODS, name, namespace)["metadata"]["uid"] != uid:
            raise errors.Conflict(f"{name} is another one now", status=409)
        self.remove(resources.PODS, name, namespace)

    # --- inside --------------------------------------------------------------------------------------------------

    async def _enter(self, verb: str, resource: resources.Resource, name: str = "", subresource: str = "") -> None:
        call = " ".join(part for part in (verb, resource.plural, name, subresource) if part)
        self.calls.append(call)
        await asyncio.sleep(0)  # every real call lets others run
        for prefix, faults in self.faults.items():
            if call.startswith(prefix) and faults:
                await _meet(faults.popleft())
                return

    def _find(self, resource: resources.Resource, name: str, namespace: str) -> Manifest:
        try:
            return self._objects[_collection(resource, namespace)][name]
        except KeyError:
            raise errors.NotFound(f"{resource} {name} not found", status=404) from None

    def _store(self, resource: resources.Resource, manifest: Manifest, event: str) -> Manifest:
        self._latest = self._latest + 1
        metadata = manifest["metadata"]
        metadata["resourceVersion"] = str(self._latest)
        self._objects[_collection(resource, metadata.get("namespace", ""))][metadata["name"]] = manifest
        self._tell(resource, event, manifest)
        return copy.deepcopy(manifest)

    def _tell(self, resource: resources.Resource, kind: str, manifest: Manifest) -> None:
        event = {"type": kind, "object": copy.deepcopy(manifest)}
        self._history.append((self._latest, str(resource), event))
        for watcher in self._watchers:
            awaited = watcher.path == str(resource) and self._latest > watcher.after  # older ones are never sent
            if awaited and str(resource) in self._muted:
                self._late.append((watcher, event))
            elif awaited:
                watcher.events.put_nowait(event)

    def _paths(self, resource: resources.Resource) -> Iterable[str]:
        return [path for path in self._objects if path.partition("@")[0] == str(resource)]


def _collection(resource: resources.Resource, namespace: str) -> str:
    return f"{resource}@{namespace}"


async def _meet(fault: Fault) -> None:
    if isinstance(fault, errors.KubernetesError):
        raise fault
    if isinstance(fault, asyncio.Event):
        await fault.wait()
    else:
        fault()


async def _until_end(watcher: _Watcher, silence_seconds: float, stream_seconds: int) -> AsyncGenerator[Manifest, None]:
    end = asyncio.get_running_loop().time() + stream_seconds
    while True:
        try:
            async with asyncio.timeout(min(silence_seconds, max(0, end - asyncio.get_running_loop().time()))):
                event = await watcher.events.get()
        except TimeoutError:
            if asyncio.get_running_loop().time() >= end:
                return
            raise errors.Unavailable("nothing came for too long") from None
        if event is None:
            return
        if isinstance(event, errors.KubernetesError):
            raise event
        yield copy.deepcopy(event)


def _compare_version(current: Mapping[str, Any], written: Mapping[str, Any]) -> None:
    expected = written.get("metadata", {}).get("resourceVersion")
    if expected is not None and expected != current["metadata"]["resourceVersion"]:
        raise errors.Conflict("the object has been modified", status=409)


def _by_key(key: str, current: Iterable[Manifest], changed: Iterable[Manifest]) -> list[Manifest]:
    """Merge a list as a strategic merge does: its items by their key."""
    merged: dict[str, Any] = {each[key]: each for each in current}
    for each in changed:
        merged[each[key]] = _merged(merged.get(each[key]), each)
    return list(merged.values())


def _merged(current: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(current) if isinstance(current, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
