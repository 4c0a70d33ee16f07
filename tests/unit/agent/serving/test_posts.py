"""Calls with a body, over a socket."""

import asyncio
import http

import aiohttp
import pytest

from neuronspan_agent.serving import connections, listening, posts


def echo(given: bytes) -> posts.Answer:
    return posts.Answer(http.HTTPStatus.ACCEPTED, given, "text/plain")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/echo", b"0123456789", 202),
        ("POST", "/echo?timeout=10s", b"", 202),
        ("POST", "/echo", b"0123456789+", 413),
        ("POST", "/other", b"", 404),
        ("GET", "/echo", b"", 405),
    ],
)
def test_post_is_answered_with_what_its_function_returns(method: str, path: str, body: bytes, status: int) -> None:
    async def ask() -> tuple[int, bytes]:
        bounds = connections.Bounds(body_bytes=10)
        async with (
            listening.serving(posts.routes({"/echo": echo}), 0, bounds=bounds) as port,
            aiohttp.ClientSession() as session,
            session.request(method, f"http://127.0.0.1:{port}{path}", data=body) as answer,
        ):
            return answer.status, await answer.read()

    answered, text = asyncio.run(ask())
    assert answered == status
    assert text == body or status != 202
