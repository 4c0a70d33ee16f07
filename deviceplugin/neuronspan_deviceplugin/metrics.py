"""Every metric of the node agent, in one place.

Law: counters only ever go up and are touched where the thing happens; nothing reads them back.
"""

import contextlib
import time
from collections.abc import Iterator

import prometheus_client

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: Allocate takes microseconds, a steering List some milliseconds, PreStartContainer at most 30 s."""


class Metrics:
    """The agent's metrics on a registry of their own, so that several agents can live in one test process."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._calls = prometheus_client.Histogram(
            "neuronspan_plugin_call_seconds",
            "Time to answer a call of kubelet's device plugin API.",
            ("method", "resource"),
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.allocations = self._counter(
            "allocations", "Allocate calls by outcome: ok, or the reason of the refusal.", "resource", "outcome"
        )
        self.steering = self._counter(
            "steering", "Preferred allocations by outcome: grant, unmanaged, drift, none.", "resource", "outcome"
        )
        self.starts = self._counter(
            "starts", "Container starts by outcome: ok, or why the container had to wait.", "resource", "outcome"
        )
        self.registrations = self._counter(
            "registrations", "Registrations with kubelet by cause: start, or what was lost.", "resource", "cause"
        )
        self.drift = self._counter("drift", "Times kubelet's devices and the ledger named different cores.", "kind")
        self.double_grants = self._counter("double_grants", "Times kubelet gave one core to two pods; must stay 0.")
        self.status_writes = self._counter("status_writes", "Writes of the NeuronNode's status.", "outcome")
        self.healthy = prometheus_client.Gauge(
            "neuronspan_plugin_healthy_cores", "Healthy NeuronCores of the node.", registry=self.registry
        )
        self.held = prometheus_client.Gauge(
            "neuronspan_plugin_held_cores", "NeuronCores held by containers.", registry=self.registry
        )

    @contextlib.contextmanager
    def timed(self, method: str, resource: str) -> Iterator[None]:
        """Observe how long the block takes, however it ends."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._calls.labels(method, resource).observe(time.perf_counter() - started)

    def exposition(self) -> bytes:
        """Give the text that Prometheus reads."""
        return prometheus_client.generate_latest(self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(f"neuronspan_plugin_{name}", text, labels, registry=self.registry)
