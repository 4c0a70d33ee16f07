"""Serves a web application within bounds, on both IP versions, in the clear or with TLS.

Law: the application decides what is answered; here is only how much anybody may cost.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from aiohttp import web

from neuronspan_agent import errors
from neuronspan_agent.serving import connections

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FAREWELL_SECONDS = 1.0
"""For answers that are under way when the server ends; ours take milliseconds."""
_LEFTOVER_SECONDS = 1.0
"""For the rest of a body that the application did not want: past it the connection is closed."""


@contextlib.asynccontextmanager
async def serving(
    routes: Iterable[web.RouteDef],
    port: int,
    *,
    bounds: connections.Bounds | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve these routes; yields the port, the system's choice for 0. Raises CannotListen when it is taken.

    With ``tls``, a context for a server, over HTTPS alone; a chain that is loaded into it later counts for the next
    connection.
    """
    bounded = bounds or connections.Bounds()
    kept: list[connections.Connections] = []
    app = web.Application(middlewares=[_bounding(bounded, kept)], client_max_size=bounded.body_bytes)
    app.add_routes(routes)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_FAREWELL_SECONDS,
        max_line_size=bounded.line_bytes,
        max_field_size=bounded.header_bytes,
        max_headers=bounded.headers,
        keepalive_timeout=2 * bounded.idle_seconds,  # ours comes first
        lingering_time=_LEFTOVER_SECONDS,
        auto_decompress=False,  # a small body may unpack to a large one
    )
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("a runner without a server after its setup")
    kept.append(connections.Connections(bounded, runner.server, tls))
    loop = asyncio.get_running_loop()
    with listener(port) as listening:
        server = await loop.create_server(kept[0].accept, sock=listening, backlog=bounded.backlog)
        try:
            yield int(listening.getsockname()[1])
        finally:
            server.close()
            await runner.cleanup()
            kept[0].close()


def listener(port: int) -> socket.socket:
    """Return a socket for all addresses, of both IP versions where the machine has both; raises CannotListen."""
    try:
        with contextlib.suppress(_NoSuchFamilyError):
            return _of_both_versions(port)
        return socket.create_server(("", port))
    except OSError as error:
        raise errors.CannotListen(f"port {port} cannot be used: {error}; choose another") from error


class _NoSuchFamilyError(Exception):
    """The kernel was built or started without IPv6, or has no address of it."""


def _of_both_versions(port: int) -> socket.socket:
    if not socket.has_dualstack_ipv6():
        raise _NoSuchFamilyError
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError as error:
        if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
            raise _NoSuchFamilyError from error
        raise


def _bounding(
    bounds: connections.Bounds, kept: list[connections.Connections]
) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (request.content_length or 0) > bounds.body_bytes:
            raise web.HTTPRequestEntityTooLarge(max_size=bounds.body_bytes, actual_size=request.content_length or 0)
        with kept[0].working(request.protocol):
            try:
                async with asyncio.timeout(bounds.answer_seconds):
                    return await handler(request)
            except TimeoutError:
                raise web.HTTPServiceUnavailable(text=f"no answer within {bounds.answer_seconds:g} s\n") from None

    return bounded
