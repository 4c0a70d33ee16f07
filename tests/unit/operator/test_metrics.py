"""What Prometheus gets to see of the operator."""

from neuronspan import grants, ledger, names, spans
from neuronspan_operator import metrics


def test_metrics_show_each_nodes_cores_by_state() -> None:
    meters = metrics.Metrics()
    span = spans.CoreSpan(4, 4)
    grant = grants.Grant(
        "uid", "ns", "pod", "app", span, names.CORE_RESOURCE, grants.EnvMode.VISIBLE, grants.GrantState.GRANTED,
        "2026-01-31T09:00:00Z",
    )  # fmt: skip
    meters.nodes.show({"w1": ledger.Ledger(32, (grant,))})
    meters.ledger_writes.labels("conflict").inc()
    shown = meters.text().decode().splitlines()
    for line in (
        'neuronspan_node_cores{node="w1",state="Granted"} 4.0',
        'neuronspan_node_cores{node="w1",state="Free"} 28.0',
        'neuronspan_node_largest_free_run{node="w1"} 24.0',
        'neuronspan_ledger_writes_total{outcome="conflict"} 1.0',
        'neuronspan_ledger_writes_total{outcome="refused"} 0.0',
    ):
        assert line in shown


def test_metrics_forget_nodes_that_are_gone() -> None:
    meters = metrics.Metrics()
    meters.nodes.show({"w1": ledger.Ledger(32)})
    meters.nodes.show({})
    assert b'node="w1"' not in meters.text()
