"""Every metric of the node agent, in one place.

Law: counters only ever go up and are touched where the thing happens; nothing reads them back.
"""

import contextlib
import time
from collections.abc import Iterator

from neuronspan_agent import meters

_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds: Allocate takes microseconds, a steering List some milliseconds, PreStartContainer at most 30 s."""


class Metrics(meters.Meters):
    """The node agent's metrics."""

    def __init__(self) -> None:
        super().__init__("neuronspan_plugin")
        self._calls = self.histogram(
            "call_seconds",
            "Time to answer a call of kubelet's device plugin API.",
            _LATENCY_BUCKETS,
            "method",
            "resource",
        )
        self.allocations = self.counter(
            "allocations", "Allocate calls by outcome: ok, or the reason of the refusal.", "resource", "outcome"
        )
        self.steering = self.counter(
            "steering", "Preferred allocations by outcome: grant, unmanaged, drift, none.", "resource", "outcome"
        )
        self.starts = self.counter(
            "starts", "Container starts by outcome: ok, or why the container had to wait.", "resource", "outcome"
        )
        self.registrations = self.counter(
            "registrations", "Registrations with kubelet by cause: start, or what was lost.", "resource", "cause"
        )
        self.drift = self.counter("drift", "Times kubelet's devices and the ledger named different cores.", "kind")
        self.double_grants = self.counter("double_grants", "Times kubelet gave one core to two pods; must stay 0.")
        self.status_writes = self.counter("status_writes", "Writes of the NeuronNode's status.", "outcome")
        self.healthy = self.gauge("healthy_cores", "Healthy NeuronCores of the node.")
        self.held = self.gauge("held_cores", "NeuronCores held by containers.")

    @contextlib.contextmanager
    def timed(self, method: str, resource: str) -> Iterator[None]:
        """Observe how long the block takes, however it ends."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._calls.labels(method, resource).observe(time.perf_counter() - started)
