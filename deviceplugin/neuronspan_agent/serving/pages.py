"""Liveness, readiness and metrics over HTTP.

Law: ``/livez`` says that the event loop turns: everything runs on it, and an error in a task ends the process.
``/readyz`` names every part and what keeps it from being ready.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Readiness = Callable[[], Awaitable[Mapping[str, str]]]
"""Returns for each part what keeps it from being ready, "" when nothing does."""


def routes(readiness: Readiness, metrics: Callable[[], bytes]) -> Sequence[web.RouteDef]:
    """Return what to serve; ``metrics`` renders Prometheus' text format."""

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        problems = await readiness()
        status = web.HTTPServiceUnavailable.status_code if any(problems.values()) else web.HTTPOk.status_code
        parts = {part: problem or "ok" for part, problem in problems.items()}
        return web.Response(status=status, text=json.dumps(parts, indent=1) + "\n", content_type="application/json")

    async def measured(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": _METRICS_TYPE})

    return [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", measured)]
