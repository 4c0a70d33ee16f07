"""One connection pool to an API server: requests of one user, with a deadline each, and what is said when they fail.

Law: decides nothing. A call that the server refuses because it does not know us is sent once more, if we can say
something else by then; whatever else fails is told. Raises ``errors.KubernetesError`` only.
"""

import asyncio
import contextlib
import json
import logging
import urllib.parse
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import aiohttp

from neuronspan_agent import errors
from neuronspan_agent.connecting import failures, identities, targets, trust

_log = logging.getLogger(__name__)

Manifest = dict[str, Any]
"""A Kubernetes object as decoded from JSON."""
Through = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
"""Awaits work of the transport's event loop from another one."""

_CONNECTIONS = 128
"""Parallel connections: the writers' limit plus one per watch, with room."""
_READ_AHEAD = 2**21
"""Bytes of an answer that wait before reading pauses: more than the largest object has, 1.5 MiB by etcd's limit."""
_FIRST_REFUSAL = 300
_UNAUTHORIZED = 401


class Transport:
    """Requests to one server; create it inside the running loop, and ``log_in`` first."""

    def __init__(
        self, target: targets.Target, identity: identities.Identity, program: str, call_seconds: float | None
    ) -> None:
        self._target = target
        self._identity = identity
        self._program = program
        self._call_seconds = call_seconds
        self._certificate = b""
        self._context = trust.context(target)
        self._pool = self._connections()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._target.cluster.server

    async def log_in(self) -> None:
        """Look for the first time at what proves who we are; raises LoginFailed."""
        try:
            await self._proof()
        except errors.KubernetesError as error:
            raise errors.LoginFailed(f"cannot log in with {self._target.source}: {error}") from error

    def session(self, through: Through) -> aiohttp.ClientSession:
        """Return a session for the running event loop, to the same server as the same user; whoever gets it closes it.

        ``through`` brings it to the loop of this client, where it is known who we are.
        """
        origin = urllib.parse.urlsplit(self.server)

        async def proving(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            if (request.url.scheme, request.url.raw_authority) != (origin.scheme, origin.netloc):
                return await handler(request)  # a redirect to somebody else
            try:
                proof = await through(self._proof())
            except errors.KubernetesError as error:
                raise aiohttp.ClientConnectionError(str(error)) from error  # as if the server did not answer
            if proof.authorization:
                request.headers["Authorization"] = proof.authorization
            request.server_hostname = self._target.cluster.tls_server_name or None
            response = await handler(request)
            if response.status == _UNAUTHORIZED:
                await through(self._refused(proof))
            return response

        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._context), middlewares=(proving,), **_session(self._target)
        )

    def _connections(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._context)
        return aiohttp.ClientSession(connector=connector, read_bufsize=_READ_AHEAD, **_session(self._target))

    async def _proof(self) -> identities.Proof:
        """Return what to show now, its client certificate being shown already."""
        proof = await self._identity.proof()
        if proof.certificate and proof.certificate != self._certificate:
            trust.show(self._context, proof.certificate, proof.key)
            self._certificate = proof.certificate
            before, self._pool = self._pool, self._connections()
            await before.close()  # its connections were made with the certificate from before
        return proof

    async def _refused(self, proof: identities.Proof) -> bool:
        return self._identity.refused(proof)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        """Send a request and return the object that it is answered with; raises KubernetesError."""
        call = f"{method} {path}"
        with self._converted(call):
            for last in (False, True):
                proof = await self._proof()  # outside of the deadline: it may ask the user something
                async with asyncio.timeout(self._call_seconds):
                    response = await self._send(proof, method, path, query or {}, body, content_type=content_type)
                    with contextlib.closing(response):
                        if response.status < _FIRST_REFUSAL:
                            return _decoded(call, await response.read())
                        if last or not self._note_refusal(proof, response):
                            raise await self._refusal(call, response)
        raise AssertionError(call)

    async def stream(
        self, call: str, path: str, query: Mapping[str, str], *, silence_seconds: float, stream_seconds: int
    ) -> AsyncGenerator[Manifest, None]:
        """Yield the objects that the server sends one by one, until it ends the stream.

        ``call`` names it in errors. Raises Unavailable when nothing comes for ``silence_seconds``.
        """
        with self._converted(call):
            proof = await self._proof()
            async with asyncio.timeout(self._call_seconds):
                response = await self._send(proof, "GET", path, query, total_seconds=stream_seconds + 60.0)
            with contextlib.closing(response):
                if response.status >= _FIRST_REFUSAL:
                    self._note_refusal(proof, response)
                    raise await self._refusal(call, response)
                async for line in _lines(response.content, silence_seconds):
                    yield _decoded(call, line)

    def _note_refusal(self, proof: identities.Proof, response: aiohttp.ClientResponse) -> bool:
        """Whether the server does not know us, and may know us when asked again."""
        return response.status == _UNAUTHORIZED and self._identity.refused(proof)

    async def _refusal(self, call: str, response: aiohttp.ClientResponse) -> errors.KubernetesError:
        text = await response.text(errors="replace")
        try:
            status = json.loads(text)
        except json.JSONDecodeError:  # a proxy's page, or an API server that is starting
            status = {"message": text[:200]}
        # the status line counts: a proxy's page has a "code" of its own
        said = {**(status if isinstance(status, dict) else {}), "code": response.status}
        if response.status == _UNAUTHORIZED:
            said["message"] = (
                f"{said.get('message', '')}: {self.server} does not know who this is; are the credentials of "
                f"{self._target.source} right, and still good?"
            )
        return errors.of_status(call, said)

    @contextlib.contextmanager
    def _converted(self, call: str) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise errors.Unavailable(f"{call}: {failures.sentence(error, self._target)}") from error

    async def _send(
        self,
        proof: identities.Proof,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        content_type: str = "application/json",
        total_seconds: float | None = None,
    ) -> aiohttp.ClientResponse:
        """Send a request once. Whoever calls limits how long it takes to an answer; the limit here ends a stream."""
        url = f"{self.server}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": self._program}
        if proof.authorization:
            headers["Authorization"] = proof.authorization
        response = await self._pool.request(
            method,
            url,
            data=None if body is None else json.dumps(body),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=total_seconds),
            server_hostname=self._target.cluster.tls_server_name or None,
        )
        _log.debug("answered", extra={"call": f"{method} {url}", "status": response.status})
        return response


async def reach(
    program: str, target: targets.Target, environment: Mapping[str, str], *, call_seconds: float | None
) -> Transport:
    """Log in to a target; raises LoginFailed. ``environment`` is what a program that gives credentials gets."""
    identity = identities.of(target, trust.authority(target.cluster), environment)
    reached = Transport(target, identity, program, call_seconds)
    try:
        await reached.log_in()
    except BaseException:
        await reached.close()
        raise
    return reached


def _session(target: targets.Target) -> dict[str, Any]:
    """Return what is the same for all sessions to a target."""
    return {
        "headers": identities.acting(target.user),
        "proxy": target.proxy or None,
        # else each call asks in two threads for a proxy in the environment and a password in .netrc
        "trust_env": False,
        "cookie_jar": aiohttp.DummyCookieJar(),
    }


def _decoded(call: str, text: bytes) -> Manifest:
    try:
        manifest = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise errors.Unavailable(f"{call}: the answer is not JSON, is a proxy in the way? {error}") from error
    if not isinstance(manifest, dict):
        raise errors.Unavailable(f"{call}: the answer is no Kubernetes object, is a proxy in the way?")
    return manifest


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
