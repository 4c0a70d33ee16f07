"""The HTTP side of the API server: one port of the loopback interface, one token, JSON in and out.

Law: decides nothing; requests become calls of ``verbs`` and its neighbours, refusals become statuses.
"""

import asyncio
import base64
import contextlib
import dataclasses
import datetime as dt
import json
import pathlib
import secrets
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Self

import yaml
from aiohttp import web

from neuronspan_embedded.api_server import (
    admitting,
    certificate,
    discovery,
    requests,
    routes,
    store,
    verbs,
    watching,
)
from neuronspan_embedded.api_server.rules import refusals

Manifest = dict[str, Any]
Logs = Callable[[str, str, str], Awaitable[str]]
"""Returns what a container has printed: namespace, pod, container ("" for the only one)."""

_HOST = "127.0.0.1"
_HEALTH = frozenset({"/livez", "/readyz", "/healthz"})
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_PROTOBUF = "application/vnd.kubernetes.protobuf"
_MOST_BYTES = 8 * 2**20
_SUFFIX = 5
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def real_sources() -> verbs.Sources:
    """Return the clock of this machine, random identities and random endings of names."""
    return verbs.Sources(
        now=lambda: dt.datetime.now(dt.UTC),
        uid=lambda: str(uuid.uuid4()),
        suffix=lambda: "".join(secrets.choice(_LETTERS) for _ in range(_SUFFIX)),
    )


class Server:
    """An API server in the running loop, from entering to leaving this context. ``calls`` are its own, without HTTP."""

    def __init__(
        self,
        *,
        admission: admitting.Admission | None = None,
        definitions: Iterable[Mapping[str, Any]] = (),
        sources: verbs.Sources | None = None,
        logs: Logs | None = None,
    ) -> None:
        self.store = store.Store()
        self.calls = verbs.Verbs(self.store, admission or admitting.AdmitAll(), sources or real_sources())
        self.token = secrets.token_urlsafe(32)
        self.url = ""
        self._authority = ""
        self._logs = logs
        self._closing = asyncio.Event()
        self._resources = contextlib.AsyncExitStack()
        self._begin(definitions)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await runner.setup()
        self._resources.push_async_callback(runner.cleanup)
        self._authority, context = certificate.made(_HOST, self.calls.sources.now())
        site = web.TCPSite(runner, _HOST, 0, ssl_context=context)
        await site.start()
        self.url = f"https://{_HOST}:{runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._resources.aclose()

    def kubeconfig(self, path: pathlib.Path) -> pathlib.Path:
        """Write a kubeconfig file for kubectl and the agents, as administrator; only its owner may read it."""
        name = "neuronspan-embedded"
        trusted = base64.b64encode(self._authority.encode()).decode()
        context = {"cluster": name, "user": name, "namespace": "default"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.url, "certificate-authority-data": trusted}}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": context}],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    # --- inside --------------------------------------------------------------------------------------------------

    def _begin(self, definitions: Iterable[Mapping[str, Any]]) -> None:
        """Install what every cluster has: its namespaces, and the kinds that are declared."""
        table = self.calls.served()
        for name in _NAMESPACES:
            target = verbs.Target(table["", "v1", "namespaces"])
            self.calls.create(target, {"metadata": {"name": name}})
        target = verbs.Target(table["apiextensions.k8s.io", "v1", "customresourcedefinitions"])
        for each in definitions:
            requests.install(self.calls, target, each)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            if request.path in _HEALTH:
                return web.Response(text="ok")
            self._refuse_stranger(request)
            return await self._answer(request)
        except refusals.Refusal as refusal:
            return web.json_response(refusal.status, status=refusal.code)

    def _refuse_stranger(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            raise refusals.Refusal(401, "Unauthorized")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        table = self.calls.served()
        document = discovery.document(request.path, table) if request.method == "GET" else None
        if document is not None:
            return web.json_response(document)
        if request.content_type == _PROTOBUF:
            raise refusals.Refusal(415, f"the body is {_PROTOBUF}, and this server reads JSON and YAML alone")
        body = _decoded(await request.read())
        if request.path == _REVIEWS:
            return web.json_response({**body, "status": {"allowed": True}}, status=201)
        asked = requests.Asked(
            request.method,
            routes.target(request.path, table),
            dict(request.query),
            body,
            request.content_type,
        )
        if asked.target.subresource == "log":
            return web.Response(text=await self._log(asked))
        if asked.watches:
            return await self._stream(request, requests.watch(asked))
        status, answer = requests.answer(self.calls, asked)
        return web.json_response(answer, status=status)

    async def _log(self, asked: requests.Asked) -> str:
        pod = self.calls.get(dataclasses.replace(asked.target, subresource=""))
        if self._logs is None:
            raise refusals.Refusal(501, "this server keeps no logs", reason="NotImplemented")
        return await self._logs(pod["metadata"]["namespace"], asked.target.name, asked.query.get("container", ""))

    async def _stream(self, request: web.Request, wanted: watching.Wanted) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        stream = watching.events(self.store, wanted)
        await response.prepare(request)
        async with contextlib.aclosing(_until(stream, self._closing)) as lines:
            async for event in lines:
                await response.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        return response


async def _until(stream: AsyncGenerator[Manifest, None], end: asyncio.Event) -> AsyncGenerator[Manifest, None]:
    """Yield what the stream yields until the end comes; a refusal on the way is its last event."""
    closing = asyncio.ensure_future(end.wait())
    following: asyncio.Future[Manifest] | None = None
    try:
        while not closing.done():
            following = asyncio.ensure_future(anext(stream))
            await asyncio.wait({following, closing}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                yield following.result()
    except StopAsyncIteration:
        return
    except refusals.Refusal as refusal:
        yield {"type": "ERROR", "object": refusal.status}
    finally:
        running: list[asyncio.Future[Any]] = [closing, *([following] if following is not None else [])]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await stream.aclose()


def _decoded(text: bytes) -> Any:
    if not text:
        return {}
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise refusals.bad_request(f"the body is neither JSON nor YAML: {error}") from error
