"""Liveness, readiness and metrics over HTTP.

Law: answers come from memory. ``/livez`` says that the event loop turns; ``/readyz`` that every cache holds a complete
list; a standby is ready too, so that a rolling update can proceed.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def application(readiness: Callable[[], Mapping[str, bool]], metrics: Callable[[], bytes]) -> web.Application:
    """Give the web application; ``readiness`` tells for each part whether it is ready."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        parts = dict(readiness())
        status = web.HTTPOk.status_code if all(parts.values()) else web.HTTPServiceUnavailable.status_code
        return web.Response(status=status, text=json.dumps(parts, indent=1) + "\n", content_type="application/json")

    async def measure(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _METRICS_TYPE})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measure)])
    return app


@contextlib.asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[int]:
    """Serve the application on all addresses; gives the port, chosen by the system when ``port`` is 0."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)  # answers are immediate
    await runner.setup()
    try:
        site = web.TCPSite(runner, "0.0.0.0", port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
