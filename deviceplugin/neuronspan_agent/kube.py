"""The only door to the Kubernetes API: plain dicts in and out, own errors, a deadline on every call.

The Kubernetes client is not used: reading 2 000 pods through its models costs 40 times the plain JSON, and importing it
20 MiB. Raises ``errors.KubernetesError`` only; decides nothing and retries nothing.
"""

import contextlib
import os
import pathlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Self

from neuronspan_agent import errors, resources, settings
from neuronspan_agent.connecting import in_cluster, targets, transport

Manifest = transport.Manifest

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_CALL_SECONDS = 10.0
"""Deadline of one call. A healthy API server answers in milliseconds; kube-apiserver itself gives up after 60 s."""


class Client:
    """Calls to one API server, on one connection pool; create it inside the running loop with ``connect``."""

    def __init__(self, reached: transport.Transport) -> None:
        self._transport = reached

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.close()

    # --- reading -------------------------------------------------------------------------------------------------

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        """Read one object; raises NotFound."""
        return await self._transport.call("GET", resource.path(namespace=namespace, name=name))

    async def list_page(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,
        *,
        limit: int = 0,
        continuation: str = "",
    ) -> Manifest:
        """Read one page of a collection: ``items``, and ``metadata`` with resourceVersion and continue.

        Raises Gone when the continuation is too old.
        """
        query = selector.query() | ({"limit": str(limit)} if limit else {})
        query |= {"continue": continuation} if continuation else {}
        return await self._transport.call("GET", resource.path(namespace=selector.namespace), query=query)

    async def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector = resources.EVERYTHING,
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[Manifest, None]:
        """Yield the events after this resourceVersion, bookmarks included, until the server ends the stream.

        The server ends it after ``stream_seconds``, and sometimes earlier without a word. Raises Gone when the version
        is too old, Unavailable when nothing comes for ``silence_seconds`` or the connection breaks.
        """
        call = f"watch {resource}"
        query = selector.query() | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(stream_seconds),
        }
        events = self._transport.stream(
            call,
            resource.path(namespace=selector.namespace),
            query,
            silence_seconds=silence_seconds,
            stream_seconds=stream_seconds,
        )
        async with contextlib.aclosing(events) as stream:
            async for event in stream:
                if event["type"] == "ERROR":
                    raise errors.of_status(call, event["object"])
                yield event

    # --- writing -------------------------------------------------------------------------------------------------

    async def create(self, resource: resources.Resource, manifest: Mapping[str, Any], namespace: str = "") -> Manifest:
        """Create an object; raises Conflict when it exists."""
        return await self._transport.call("POST", resource.path(namespace=namespace), manifest)

    async def replace(
        self, resource: resources.Resource, name: str, manifest: Manifest, namespace: str = ""
    ) -> Manifest:
        """Write a whole object; raises Conflict when its metadata.resourceVersion is not the stored one."""
        return await self._transport.call("PUT", resource.path(namespace=namespace, name=name), manifest)

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge these fields; raises Conflict when the patch carries another resourceVersion than the stored one."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self._transport.call("PATCH", path, patch, content_type=MERGE_PATCH)

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge these fields, lists by the key of their items; raises Conflict as ``merge_patch`` does."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self._transport.call("PATCH", path, patch, content_type=STRATEGIC_PATCH)

    async def json_patch(
        self, resource: resources.Resource, name: str, operations: Sequence[Manifest], namespace: str = ""
    ) -> Manifest:
        """Apply the operations, all or none; raises Invalid when a ``test`` fails."""
        path = resource.path(namespace=namespace, name=name)
        return await self._transport.call("PATCH", path, operations, content_type=JSON_PATCH)

    async def delete(
        self, resource: resources.Resource, name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object; raises Conflict when it is not the one with this UID and resourceVersion any more."""
        named = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in named.items() if value}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        await self._transport.call("DELETE", resource.path(namespace=namespace, name=name), options)

    async def evict(self, name: str, namespace: str, *, uid: str) -> None:
        """Ask for a pod's eviction; raises Unavailable (429) while a disruption budget forbids it."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._transport.call(
            "POST", resources.PODS.path(namespace=namespace, name=name, subresource="eviction"), eviction
        )

    async def bind(self, name: str, namespace: str, binding: Mapping[str, Any]) -> None:
        """Bind a pod to a node; raises Conflict when the pod changed since, or has a node."""
        await self._transport.call(
            "POST", resources.PODS.path(namespace=namespace, name=name, subresource="binding"), binding
        )

    # --- another client -----------------------------------------------------------------------------------------

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._transport.server

    def session(self, through: transport.Through) -> Any:
        """Return an HTTP session for the running event loop, to the same server as the same user."""
        return self._transport.session(through)


async def connect(program: str, kubeconfig: str = "", *, call_seconds: float = _CALL_SECONDS) -> Client:
    """Log in with this kubeconfig, or with the pod's service account when there is none; raises LoginFailed.

    A kubeconfig is a file, or several as in $KUBECONFIG. ``program`` is what the API server's audit log names as the
    client.
    """
    environment = settings.from_process()
    if not kubeconfig:
        return await reach(program, in_cluster.target(environment), call_seconds=call_seconds)
    from neuronspan_agent.connecting import kubeconfigs  # noqa: PLC0415 - YAML, which no pod reads: 1.5 MiB

    config = kubeconfigs.of_files([pathlib.Path(each) for each in kubeconfig.split(os.pathsep) if each])
    return await reach(program, targets.choose(config, targets.Wanted(), environment), call_seconds=call_seconds)


async def reach(program: str, target: targets.Target, *, call_seconds: float | None = _CALL_SECONDS) -> Client:
    """Log in to this target; a call may take ``call_seconds``, or with None as long as it takes. Raises LoginFailed."""
    return Client(await transport.reach(program, target, settings.from_process(), call_seconds=call_seconds))
