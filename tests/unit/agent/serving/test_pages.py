"""What kubelet and Prometheus get to see."""

import asyncio
import json
from collections.abc import Mapping

import aiohttp
import pytest

from neuronspan_agent import meters
from neuronspan_agent.serving import listening, pages


def fetch(parts: Mapping[str, str], path: str, counted: meters.Meters | None = None) -> tuple[int, str, str]:
    """Ask a served application over a socket, so in real time."""

    async def readiness() -> Mapping[str, str]:
        return parts

    async def ask() -> tuple[int, str, str]:
        routes = pages.routes(readiness, (counted or meters.Meters("test")).text)
        async with (
            listening.serving(routes, 0) as port,
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
