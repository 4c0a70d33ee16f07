"""The only door to the Kubernetes API: this node's NeuronNode, as plain JSON.

Law: own errors, a deadline on every call, nothing retried and nothing decided here. Needs get, list and watch on
neuronnodes and patch on neuronnodes/status; nothing about pods.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, Protocol

import aiohttp
from kubernetes.aio import client, config

from neuronspan import names
from neuronspan_deviceplugin import errors, neuron_node

CALL_SECONDS = 10.0
"""Deadline of one call; a healthy API server answers in milliseconds."""
STREAM_SECONDS = 290
"""The API server ends a watch after this long; it would choose 30 to 60 minutes itself."""
_MERGE_PATCH = "application/merge-patch+json"
_GONE = 410
_NOT_FOUND = 404
_FIRST_REFUSAL = 300


class Door(Protocol):
    """What the rest of the agent needs of the API server."""

    async def listed(self) -> tuple[neuron_node.Manifest | None, str]:
        """Give the object, None when there is none, and the resourceVersion to watch from; raises ApiError."""

    def watch(self, resource_version: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events after that version, bookmarks included; raises Gone, ApiError."""

    async def fresh(self) -> neuron_node.Manifest:
        """Read the object now; raises NotFound, ApiError."""

    async def patch_status(self, status: dict[str, Any]) -> neuron_node.Manifest:
        """Merge into the object's status; raises NotFound, ApiError."""


class NeuronNodeDoor:
    """One NeuronNode by name; create it inside the running loop with ``connect``."""

    def __init__(self, api_client: client.ApiClient, name: str) -> None:
        self._api_client = api_client
        self._api = client.CustomObjectsApi(api_client)
        self._name = name
        self._kind = {"group": names.GROUP, "version": names.VERSION, "plural": names.NEURON_NODES}

    async def close(self) -> None:
        """Close the connections."""
        await self._api_client.close()

    async def listed(self) -> tuple[neuron_node.Manifest | None, str]:
        """Give the object, None when there is none, and the resourceVersion to watch from; raises ApiError."""
        answer = await self._call("list", self._api.list_cluster_custom_object_without_preload_content)
        items = answer["items"]
        return (items[0] if items else None), answer["metadata"]["resourceVersion"]

    async def watch(self, resource_version: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events after that version, bookmarks included; raises Gone, ApiError."""
        with _converted("watch"):
            async with asyncio.timeout(CALL_SECONDS):
                response = await self._api.list_cluster_custom_object_without_preload_content(
                    **self._kind,
                    field_selector=f"metadata.name={self._name}",
                    watch=True,
                    resource_version=resource_version,
                    allow_watch_bookmarks=True,
                    timeout_seconds=STREAM_SECONDS,
                    _request_timeout=STREAM_SECONDS + CALL_SECONDS,
                )
            with contextlib.closing(response):
                await _refuse(response, "watch")
                async for line in _lines(response):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _of_status("watch", event["object"])
                    yield event

    async def fresh(self) -> neuron_node.Manifest:
        """Read the object now; raises NotFound, ApiError."""
        return await self._call("get", self._api.get_cluster_custom_object_without_preload_content, name=self._name)

    async def patch_status(self, status: dict[str, Any]) -> neuron_node.Manifest:
        """Merge into the object's status; raises NotFound, ApiError."""
        return await self._call(
            "patch status",
            self._api.patch_cluster_custom_object_status_without_preload_content,
            name=self._name,
            body={"status": status},
            _content_type=_MERGE_PATCH,
        )

    async def _call(self, call: str, method: Any, **arguments: Any) -> neuron_node.Manifest:
        if "name" not in arguments:
            arguments["field_selector"] = f"metadata.name={self._name}"
        with _converted(call):
            async with asyncio.timeout(CALL_SECONDS):
                response = await method(**self._kind, **arguments)
                with contextlib.closing(response):
                    await _refuse(response, call)
                    answer: neuron_node.Manifest = json.loads(await response.read())
                    return answer


async def connect(name: str, kubeconfig: str = "") -> NeuronNodeDoor:
    """Open the door with the pod's service account, or a kubeconfig file; raises ApiError."""
    settings = client.Configuration()
    try:
        if kubeconfig:
            await config.load_kube_config(config_file=kubeconfig, client_configuration=settings)
        else:
            config.load_incluster_config(client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        raise errors.ApiError(
            f"no credentials for the API server: {error}; run as a pod with a service account or give a kubeconfig"
        ) from error
    return NeuronNodeDoor(client.ApiClient(settings), name)


@contextlib.contextmanager
def _converted(call: str) -> Iterator[None]:
    try:
        yield
    except client.ApiException as error:
        raise _error_class(error.status)(f"{call} of the NeuronNode: {error.status} {error.reason}") from error
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
        raise errors.ApiError(f"{call} of the NeuronNode: {error!r}; is the API server reachable?") from error


async def _refuse(response: aiohttp.ClientResponse, call: str) -> None:
    if response.status >= _FIRST_REFUSAL:
        text = (await response.text())[:500]
        raise _error_class(response.status)(f"{call} of the NeuronNode: {response.status} {text}")


def _of_status(call: str, status: dict[str, Any]) -> errors.ApiError:
    return _error_class(status.get("code"))(f"{call} of the NeuronNode: {status.get('message')}")


def _error_class(code: int | None) -> type[errors.ApiError]:
    return {_GONE: errors.Gone, _NOT_FOUND: errors.NotFound}.get(code or 0, errors.ApiError)


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Split the stream at newlines; an event may be larger than the reader's own line limit."""
    rest = b""
    async for chunk in response.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
