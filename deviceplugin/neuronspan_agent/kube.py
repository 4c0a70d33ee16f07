"""The only door to the Kubernetes API: plain dicts in and out, own errors, a deadline on every call.

The client's generated models are not used: reading 2 000 pods through them costs 40 times the plain JSON. Raises
``errors.KubernetesError`` only; decides nothing and retries nothing.
"""

import asyncio
import contextlib
import dataclasses
import json
import urllib.parse
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import api_client, configuration

from neuronspan_agent import errors, resources

Manifest = dict[str, Any]
"""A Kubernetes object as decoded from JSON."""

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

_CALL_SECONDS = 10.0
"""Deadline of one call. A healthy API server answers in milliseconds; kube-apiserver itself gives up after 60 s."""
_CONNECTIONS = 128
"""Parallel connections: the writers' limit plus one per watch, with room."""
_FIRST_REFUSAL = 300


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What another HTTP client needs to reach the same API server as the same user."""

    server: str
    authority_path: str | None
    token: str | None
    certificate_path: str | None
    private_key_path: str | None
    insecure: bool


class Client:
    """Calls to one API server, on one connection pool; create it inside the running loop with ``connect``."""

    def __init__(self, settings: "configuration.Configuration", program: str, call_seconds: float) -> None:
        self._settings = settings
        self._client = api_client.ApiClient(settings)
        self._client.user_agent = program
        self._call_seconds = call_seconds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    # --- reading -------------------------------------------------------------------------------------------------

    async def get(self, resource: resources.Resource, name: str, namespace: str = "") -> Manifest:
        """Read one object; raises NotFound."""
        return await self._call("GET", resource.path(namespace=namespace, name=name))

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
        return await self._call("GET", resource.path(), query=query)

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
        with _converted(call):
            async with asyncio.timeout(self._call_seconds):
                response = await self._send("GET", resource.path(), query, total_seconds=stream_seconds + 60.0)
            with contextlib.closing(response):
                if response.status >= _FIRST_REFUSAL:
                    raise await _refusal(call, response)
                async for line in _lines(response.content, silence_seconds):
                    event = _decoded(call, line)
                    if event["type"] == "ERROR":
                        raise errors.of_status(call, event["object"])
                    yield event

    # --- writing -------------------------------------------------------------------------------------------------

    async def create(self, resource: resources.Resource, manifest: Mapping[str, Any], namespace: str = "") -> Manifest:
        """Create an object; raises Conflict when it exists."""
        return await self._call("POST", resource.path(namespace=namespace), manifest)

    async def replace(
        self, resource: resources.Resource, name: str, manifest: Manifest, namespace: str = ""
    ) -> Manifest:
        """Write a whole object; raises Conflict when its metadata.resourceVersion is not the stored one."""
        return await self._call("PUT", resource.path(namespace=namespace, name=name), manifest)

    async def merge_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge these fields; raises Conflict when the patch carries another resourceVersion than the stored one."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self._call("PATCH", path, patch, content_type=MERGE_PATCH)

    async def strategic_patch(
        self, resource: resources.Resource, name: str, patch: Manifest, namespace: str = "", subresource: str = ""
    ) -> Manifest:
        """Merge these fields, lists by the key of their items; raises Conflict as ``merge_patch`` does."""
        path = resource.path(namespace=namespace, name=name, subresource=subresource)
        return await self._call("PATCH", path, patch, content_type=STRATEGIC_PATCH)

    async def json_patch(
        self, resource: resources.Resource, name: str, operations: Sequence[Manifest], namespace: str = ""
    ) -> Manifest:
        """Apply the operations, all or none; raises Invalid when a ``test`` fails."""
        path = resource.path(namespace=namespace, name=name)
        return await self._call("PATCH", path, operations, content_type=JSON_PATCH)

    async def delete(
        self, resource: resources.Resource, name: str, namespace: str = "", *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object; raises Conflict when it is not the one with this UID and resourceVersion any more."""
        named = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {field: value for field, value in named.items() if value}
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}
        await self._call("DELETE", resource.path(namespace=namespace, name=name), options)

    async def evict(self, name: str, namespace: str, *, uid: str) -> None:
        """Ask for a pod's eviction; raises Unavailable (429) while a disruption budget forbids it."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._call("POST", resources.PODS.path(namespace=namespace, name=name, subresource="eviction"), eviction)

    async def bind(self, name: str, namespace: str, binding: Mapping[str, Any]) -> None:
        """Bind a pod to a node; raises Conflict when the pod changed since, or has a node."""
        await self._call("POST", resources.PODS.path(namespace=namespace, name=name, subresource="binding"), binding)

    # --- identity ------------------------------------------------------------------------------------------------

    async def credentials(self) -> Credentials:
        """Return the credentials in use now; service account tokens rotate, so ask again after a refusal."""
        settings = self._settings
        header = (await settings.auth_settings()).get("BearerToken", {}).get("value") or ""
        return Credentials(
            server=settings.host,
            authority_path=settings.ssl_ca_cert,
            token=header.partition(" ")[2] or None,  # "Bearer <token>"
            certificate_path=settings.cert_file,
            private_key_path=settings.key_file,
            insecure=not settings.verify_ssl,
        )

    # --- inside --------------------------------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        call = f"{method} {path}"
        with _converted(call):
            async with asyncio.timeout(self._call_seconds):
                response = await self._send(
                    method, path, query or {}, body, content_type=content_type, total_seconds=2 * self._call_seconds
                )
                with contextlib.closing(response):
                    if response.status >= _FIRST_REFUSAL:
                        raise await _refusal(call, response)
                    return _decoded(call, await response.read())

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        content_type: str = "application/json",
        total_seconds: float,
    ) -> aiohttp.ClientResponse:
        url = f"{self._settings.host}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type} | self._client.default_headers
        if token := (await self._settings.auth_settings()).get("BearerToken"):
            headers["Authorization"] = token["value"]
        # the client's own limit (5 min when none is given) must not cut a call before ours
        answer = await self._client.call_api(method, url, headers, body, _request_timeout=total_seconds)
        response: aiohttp.ClientResponse = answer.response
        return response


async def connect(
    program: str, kubeconfig: str = "", *, context: str = "", call_seconds: float = _CALL_SECONDS
) -> Client:
    """Log in with this kubeconfig, or with the pod's service account when there is none; raises LoginFailed.

    A kubeconfig is a file, or several as in $KUBECONFIG; without ``context`` its current one is meant. ``program`` is
    what the API server's audit log names as the client.
    """
    settings = configuration.Configuration()
    settings.connection_pool_maxsize = _CONNECTIONS
    # Python 3.13 refuses certificates without key identifiers, and authorities of clusters (EKS) leave them out; what
    # proves the server, the chain to its authority and its name, is checked all the same
    settings.disable_strict_ssl_verification = True
    # else each call asks in two threads for a proxy in the environment and a password in .netrc, and looks for cookies
    settings.client_session_kwargs = {"trust_env": False, "cookie_jar": aiohttp.DummyCookieJar()}
    try:
        if kubeconfig:
            await config.load_kube_config(
                kubeconfig, context=context or None, client_configuration=settings, persist_config=False
            )
        else:
            config.load_incluster_config(client_configuration=settings)
        settings.proxy = settings.proxy or _proxy_of_environment(settings.host)
        return Client(settings, program, call_seconds)
    except Exception as error:  # the client lets through what its readers of YAML, base64 and keys raise
        source = f"the kubeconfig {kubeconfig}" if kubeconfig else "the service account of this pod"
        way_out = "give a kubeconfig file outside a cluster, and mount a service account token inside one"
        raise errors.LoginFailed(f"cannot log in with {source}: {error!r}; {way_out}") from error


def _proxy_of_environment(server: str) -> str | None:
    """Return the proxy that HTTPS_PROXY and the like name for this server, None without one."""
    parts = urllib.parse.urlsplit(server)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)


@contextlib.contextmanager
def _converted(call: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise errors.Unavailable(f"{call}: no answer in time; is the API server overloaded?") from error
    except (aiohttp.ClientError, OSError) as error:
        raise errors.Unavailable(f"{call}: {error!r}; is the API server reachable?") from error
    except config.ConfigException as error:  # the token is read from its file again and again
        raise errors.Unavailable(f"{call}: the credentials cannot be read: {error}") from error


def _decoded(call: str, text: bytes) -> Manifest:
    try:
        manifest = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise errors.Unavailable(f"{call}: the answer is not JSON, is a proxy in the way? {error}") from error
    if not isinstance(manifest, dict):
        raise errors.Unavailable(f"{call}: the answer is no Kubernetes object, is a proxy in the way?")
    return manifest


async def _refusal(call: str, response: aiohttp.ClientResponse) -> errors.KubernetesError:
    text = await response.text(errors="replace")
    try:
        status = json.loads(text)
    except json.JSONDecodeError:  # a proxy's page, or an API server that is starting
        status = {"message": text[:200]}
    # the status line counts: a proxy's page has a "code" of its own
    return errors.of_status(call, {**(status if isinstance(status, dict) else {}), "code": response.status})


async def _lines(content: aiohttp.StreamReader, silence_seconds: float) -> AsyncIterator[bytes]:
    pending = b""
    while True:
        async with asyncio.timeout(silence_seconds):
            chunk = await content.readany()
        if not chunk:
            return  # a line without its end is no event: the next watch brings it whole
        *whole, pending = (pending + chunk).split(b"\n")
        for line in filter(None, whole):  # a proxy may keep the connection alive with empty ones
            yield line
