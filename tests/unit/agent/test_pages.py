"""What kubelet and Prometheus get to see."""

import asyncio
import http
import json
from collections.abc import Mapping

import aiohttp
import pytest

from neuronspan_agent import errors, meters, pages


def fetch(parts: Mapping[str, str], path: str, counted: meters.Meters | None = None) -> tuple[int, str, str]:
    """Ask a served application over a socket, so in real time."""

    async def readiness() -> Mapping[str, str]:
        return parts

    async def ask() -> tuple[int, str, str]:
        app = pages.application(readiness, (counted or meters.Meters("test")).text)
        async with (
            pages.serving(app, 0) as port,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as answer,
        ):
            return answer.status, await answer.text(), answer.headers["Content-Type"]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("nodes", "status", "shown"), [("", 200, "ok"), ("not listed yet", 503, "not listed yet")], ids=["all", "one-not"]
)
def test_readyz_names_every_part_and_waits_for_all(nodes: str, status: int, shown: str) -> None:
    answered, text, content_type = fetch({"pods": "", "nodes": nodes}, "/readyz")
    assert (answered, json.loads(text)) == (status, {"pods": "ok", "nodes": shown})
    assert content_type.startswith("application/json")


def test_livez_does_not_wait_for_parts() -> None:
    assert fetch({"pods": "not listed yet"}, "/livez")[:2] == (200, "ok\n")


def test_metrics_are_in_the_format_of_prometheus() -> None:
    counted = meters.Meters("test")
    counted.cache("pods").relisted("gone")
    counted.cache("pods").sized(7)
    status, text, content_type = fetch({}, "/metrics", counted)
    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    assert 'test_cache_relists_total{reason="gone",resource="pods"} 1.0' in text.splitlines()
    assert 'test_cache_objects{resource="pods"} 7.0' in text.splitlines()
    assert "process_start_time_seconds" in text


def test_taken_port_is_refused_with_the_way_out() -> None:
    async def twice() -> None:
        async def readiness() -> Mapping[str, str]:
            return {}

        app = pages.application(readiness, bytes)
        async with pages.serving(app, 0) as port, pages.serving(pages.application(readiness, bytes), port):
            raise AssertionError(port)

    with pytest.raises(errors.CannotListen, match=r"port \d+ of the pages .*; choose another"):
        asyncio.run(twice())


def posted(body: bytes, path: str = "/echo", *, cut: bool = False) -> tuple[int, bytes]:
    """Post a body to what echoes it, at most 10 bytes of it and within a fraction of a second."""

    def echo(given: bytes) -> pages.Answer:
        return pages.Answer(http.HTTPStatus.ACCEPTED, given, "text/plain")

    async def ask() -> tuple[int, bytes]:
        app = pages.posts({"/echo": echo}, most_bytes=10, seconds=0.05)
        async with pages.serving(app, 0, what="the echo") as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            length = len(body) + (1 if cut else 0)
            writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + body)
            status = int((await reader.readline()).split()[1])
            while (await reader.readline()).strip():
                pass
            answer = await reader.read(10)
            writer.close()
            return status, answer

    return asyncio.run(ask())


def test_post_is_answered_with_what_its_function_returns() -> None:
    assert posted(b"0123456789") == (202, b"0123456789")


def test_post_of_too_many_bytes_is_refused() -> None:
    assert posted(b"0123456789+")[0] == 413


def test_post_that_does_not_arrive_is_refused() -> None:
    assert posted(b"01", cut=True)[0] == 408


def test_post_elsewhere_is_not_found() -> None:
    assert posted(b"", "/other")[0] == 404


def test_port_that_is_taken_is_said_with_what_it_was_for() -> None:
    async def twice() -> None:
        app = pages.posts({}, most_bytes=1, seconds=1)
        async with pages.serving(app, 0) as port:
            with pytest.raises(errors.CannotListen, match=f"port {port} of the webhook"):
                async with pages.serving(pages.posts({}, most_bytes=1, seconds=1), port, what="the webhook"):
                    pass

    asyncio.run(twice())
