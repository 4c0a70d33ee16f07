"""What kubelet and Prometheus get to see."""

import asyncio

import aiohttp
import pytest

from neuronspan import grants, ledger, names, spans
from neuronspan_operator import metrics, probe


def fetch(parts: dict[str, bool], path: str, measures: metrics.Metrics | None = None) -> tuple[int, str, str]:
    """Ask a served application over a socket, so in real time."""

    async def ask() -> tuple[int, str, str]:
        app = probe.application(lambda: parts, (measures or metrics.Metrics()).text)
        async with (
            probe.serving(app, 0) as port,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}{path}") as answer,
        ):
            return answer.status, await answer.text(), answer.headers["Content-Type"]

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("parts", "status"),
    [({"pods": True, "nodes": True}, 200), ({"pods": True, "nodes": False}, 503)],
    ids=["all-synced", "one-not-yet"],
)
def test_readyz_waits_for_every_cache(parts: dict[str, bool], status: int) -> None:
    answered, text, _ = fetch(parts, "/readyz")
    assert answered == status
    assert ('"nodes": false' in text) == (status == 503)


def test_livez_does_not_wait_for_caches() -> None:
    assert (fetch({"pods": False}, "/livez"))[0] == 200


def test_metrics_show_each_nodes_cores_by_state() -> None:
    measures = metrics.Metrics()
    span = spans.CoreSpan(4, 4)
    grant = grants.Grant(
        "uid", "ns", "pod", "app", span, names.CORE_RESOURCE, grants.EnvMode.VISIBLE, grants.GrantState.GRANTED,
        "2026-01-31T09:00:00Z",
    )  # fmt: skip
    measures.nodes.show({"w1": ledger.Ledger(32, (grant,))})
    measures.ledger_writes.labels("conflict").inc()
    measures.cache("pods").relisted("gone")
    status, text, content_type = fetch({}, "/metrics", measures)
    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    for line in (
        'neuronspan_node_cores{node="w1",state="Granted"} 4.0',
        'neuronspan_node_cores{node="w1",state="Free"} 28.0',
        'neuronspan_node_largest_free_run{node="w1"} 24.0',
        'neuronspan_ledger_writes_total{outcome="conflict"} 1.0',
        'neuronspan_cache_relists_total{reason="gone",resource="pods"} 1.0',
    ):
        assert line in text.splitlines()


def test_metrics_forget_nodes_that_are_gone() -> None:
    measures = metrics.Metrics()
    measures.nodes.show({"w1": ledger.Ledger(32)})
    measures.nodes.show({})
    assert 'node="w1"' not in (fetch({}, "/metrics", measures))[1]
