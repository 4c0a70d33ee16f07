"""Liveness, readiness and metrics over HTTP.

Law: ``/livez`` says that the event loop turns: everything runs on it, and an error in a task ends the process.
``/readyz`` names every part and what keeps it from being ready.
"""

import asyncio
import contextlib
import dataclasses
import http
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from aiohttp import web

from neuronspan_agent import errors

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns for each part what keeps it from being ready, "" when nothing does."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a call."""

    status: http.HTTPStatus
    body: bytes
    content_type: str


Post = Callable[[bytes], Answer]
"""Answers the body of a call at once; raises nothing."""


def posts(paths: Mapping[str, Post], *, most_bytes: int, seconds: float) -> web.Application:
    """Return a web application that answers POST under these paths.

    A body that is larger is refused with 413, one that takes longer to arrive with 408.
    """

    def handler(post: Post) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                async with asyncio.timeout(seconds):
                    body = await request.read()
            except TimeoutError:
                raise web.HTTPRequestTimeout(text=f"the body did not arrive within {seconds:g} s\n") from None
            answer = post(body)
            return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

        return handle

    app = web.Application(client_max_size=most_bytes)
    app.add_routes([web.post(path, handler(post)) for path, post in paths.items()])
    return app


def application(readiness: Readiness, metrics: Callable[[], bytes]) -> web.Application:
    """Return the web application; ``metrics`` renders Prometheus' text format."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        problems = await readiness()
        status = web.HTTPServiceUnavailable.status_code if any(problems.values()) else web.HTTPOk.status_code
        parts = {part: problem or "ok" for part, problem in problems.items()}
        return web.Response(status=status, text=json.dumps(parts, indent=1) + "\n", content_type="application/json")

    async def measured(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _METRICS_TYPE})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measured)])
    return app


@contextlib.asynccontextmanager
async def serving(
    app: web.Application,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    what: str = "the pages",
    shutdown_seconds: float = 1.0,  # answers are immediate
) -> AsyncIterator[int]:
    """Serve the application on all addresses of both IP versions; yields the port, the system's choice for 0.

    Raises CannotListen when the port is taken.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_seconds)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, port=port, ssl_context=tls).start()
        except OSError as error:
            raise errors.CannotListen(f"port {port} of {what} cannot be used: {error}; choose another") from error
        yield min(runner.addresses, key=len)[1]  # with port 0 the two IP versions differ: take IPv4
    finally:
        await runner.cleanup()
