"""Calls that bring a body and are answered at once, out of it alone.

Law: what is answered is decided by a function of the body; how large it is and how long it takes says ``Bounds``.
"""

import dataclasses
import http
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a call."""

    status: http.HTTPStatus
    body: bytes
    content_type: str


Post = Callable[[bytes], Answer]
"""Answers the body of a call; raises nothing."""


def routes(paths: Mapping[str, Post]) -> Sequence[web.RouteDef]:
    """Return what to serve: POST under each of these paths."""
    return [web.post(path, _handler(post)) for path, post in paths.items()]


def _handler(post: Post) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        answer = post(await request.read())
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    return handle
