"""How an agent's metrics are made and rendered; what they count is the agent's own.

Law: values are set by the code they describe; nothing here reads the cluster.
"""

from collections.abc import Sequence

import prometheus_client


class CacheMeters:
    """The metrics of one mirror."""

    def __init__(self, meters: "Meters", resource: str) -> None:
        self._meters = meters
        self._resource = resource

    def sized(self, objects: int) -> None:
        """Note the number of objects in the mirror."""
        self._meters.cache_objects.labels(self._resource).set(objects)

    def event(self) -> None:
        """Count an event of a watch, bookmarks included."""
        self._meters.cache_events.labels(self._resource).inc()

    def stream_ended(self, outcome: str) -> None:
        """Count a watch stream: ended or broken."""
        self._meters.cache_streams.labels(self._resource, outcome).inc()

    def relisted(self, reason: str) -> None:
        """Count a list after the first one: periodic, ended, broken, gone, restored, silent or error."""
        self._meters.cache_relists.labels(self._resource, reason).inc()

    def unreadable(self) -> None:
        """Count an object that cannot be what it says it is."""
        self._meters.cache_unreadable.labels(self._resource).inc()


class Meters:
    """The metrics of every agent, in a registry of their own (so that agents can share a test's process)."""

    def __init__(self, prefix: str) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.PlatformCollector(registry=self.registry)
        self._prefix = prefix
        self.cache_objects = self.gauge("cache_objects", "Objects mirrored.", "resource")
        self.cache_events = self.counter("cache_events", "Events of watches.", "resource")
        self.cache_streams = self.counter("cache_streams", "Watch streams that ended or broke.", "resource", "outcome")
        self.cache_relists = self.counter("cache_relists", "Lists after the first.", "resource", "reason")
        self.cache_unreadable = self.counter("cache_unreadable", "Objects that could not be read.", "resource")

    def counter(self, name: str, meaning: str, *labels: str) -> prometheus_client.Counter:
        """Return a new counter."""
        return prometheus_client.Counter(f"{self._prefix}_{name}", meaning, labels, registry=self.registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> prometheus_client.Gauge:
        """Return a new gauge."""
        return prometheus_client.Gauge(f"{self._prefix}_{name}", meaning, labels, registry=self.registry)

    def histogram(self, name: str, meaning: str, buckets: Sequence[float], *labels: str) -> prometheus_client.Histogram:
        """Return a new histogram."""
        return prometheus_client.Histogram(
            f"{self._prefix}_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def cache(self, resource: str) -> CacheMeters:
        """Return the metrics of the mirror of this resource."""
        return CacheMeters(self, resource)

    def text(self) -> bytes:
        """Render everything in Prometheus' text format."""
        return prometheus_client.generate_latest(self.registry)
