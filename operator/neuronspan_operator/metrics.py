"""Every metric of the operator, in one place.

Law: values are set by the code they describe; nothing here reads the cluster. Gauges per node are computed at
each scrape, from the ledgers of the last plan, so that a thousand nodes cost nothing between scrapes.
"""

from collections.abc import Iterator, Mapping, Sequence

import prometheus_client
from prometheus_client import core
from prometheus_client.registry import Collector

from neuronspan import grants, ledger

_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_PLAN_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class CacheMeasures:
    """The metrics of one watch cache."""

    def __init__(self, metrics: "Metrics", resource: str) -> None:
        self._metrics = metrics
        self._resource = resource

    def sized(self, objects: int) -> None:
        """Note the number of objects in the cache."""
        self._metrics.cache_objects.labels(self._resource).set(objects)

    def event(self) -> None:
        """Count an event of a watch, bookmarks included."""
        self._metrics.cache_events.labels(self._resource).inc()

    def stream_ended(self, outcome: str) -> None:
        """Count a watch stream: ended or broken."""
        self._metrics.cache_streams.labels(self._resource, outcome).inc()

    def relisted(self, reason: str) -> None:
        """Count a list after the first one: periodic, gone, silent or error."""
        self._metrics.cache_relists.labels(self._resource, reason).inc()

    def unreadable(self) -> None:
        """Count an object that cannot be what it says it is."""
        self._metrics.cache_unreadable.labels(self._resource).inc()


class Metrics:
    """The operator's metrics, in a registry of their own (so that tests do not share them)."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.PlatformCollector(registry=self.registry)
        self.nodes = _NodeCollector()
        self.registry.register(self.nodes)

        # --- the life of a grant ---------------------------------------------------------------------------------
        self.stages = self._histogram(
            "stage_seconds",
            "Time a pod spent in a stage: granted (created to ledger entry), ungated (ledger entry to gate removed), "
            "confirmed (ledger entry to held on the node), released (pod over to cores free).",
            _STAGE_BUCKETS,
            "stage",
        )
        self.waiting = self._gauge("waiting_pods", "Gated pods without cores, by reason.", "reason")
        self.ledger_writes = self._counter(
            "ledger_writes",
            "Compare-and-swap writes of a node's ledger: written, conflict (another client wrote first), refused (the "
            "API server's own rules said no; must stay 0), failed.",
            "outcome",
        )
        for outcome in ("written", "conflict", "refused", "failed"):
            self.ledger_writes.labels(outcome)  # there from the start: an alert on "refused" needs a zero to rise from
        self.ungates = self._counter(
            "ungates",
            "Pods let through to the scheduler: done, stale (the pod changed meanwhile), gone, refused, failed, held "
            "(left alone after a failure).",
            "outcome",
        )
        self.pod_patches = self._counter("pod_patches", "Other patches of pods, by the same outcomes.", "outcome")
        self.evictions = self._counter("evictions", "Evictions: evicted, gone, failed.", "outcome")
        self.drift = self._counter("drift", "Disagreements of ledger and node, counted when they appear.", "kind")
        self.events = self._counter("events", "Kubernetes Events: created, updated, repeated, failed.", "outcome")

        # --- the operator itself ---------------------------------------------------------------------------------
        self.planning = self._histogram("plan_seconds", "Time to decide one plan.", _PLAN_BUCKETS)
        self.rounds = self._counter("reconciles", "Rounds of the reconciler: done, failed.", "outcome")
        self.leader = self._gauge("leader", "1 while this process leads, 0 while it stands by.")
        self.cache_objects = self._gauge("cache_objects", "Objects mirrored.", "resource")
        self.cache_events = self._counter("cache_events", "Events of watches.", "resource")
        self.cache_streams = self._counter("cache_streams", "Watch streams that ended or broke.", "resource", "outcome")
        self.cache_relists = self._counter("cache_relists", "Lists after the first.", "resource", "reason")
        self.cache_unreadable = self._counter("cache_unreadable", "Objects that could not be read.", "resource")

    def _counter(self, name: str, meaning: str, *labels: str) -> prometheus_client.Counter:
        return prometheus_client.Counter(f"neuronspan_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> prometheus_client.Gauge:
        return prometheus_client.Gauge(f"neuronspan_{name}", meaning, labels, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, buckets: Sequence[float], *labels: str
    ) -> prometheus_client.Histogram:
        return prometheus_client.Histogram(
            f"neuronspan_{name}", meaning, labels, buckets=buckets, registry=self.registry
        )

    def cache(self, resource: str) -> CacheMeasures:
        """Give the metrics of the cache of this resource."""
        return CacheMeasures(self, resource)

    def text(self) -> bytes:
        """Render everything in the Prometheus text format."""
        return prometheus_client.generate_latest(self.registry)


class _NodeCollector(Collector):
    """Cores per node and state, from the ledgers it was shown last."""

    def __init__(self) -> None:
        self._ledgers: Mapping[str, ledger.Ledger] = {}

    def show(self, ledgers: Mapping[str, ledger.Ledger]) -> None:
        """Take the ledgers, by node name."""
        self._ledgers = ledgers

    def collect(self) -> Iterator[core.Metric]:
        """Yield the gauges; called by a scrape."""
        cores = core.GaugeMetricFamily(
            "neuronspan_node_cores",
            "NeuronCores of a node by state: Granted, Confirmed, Releasing, Free.",
            labels=["node", "state"],
        )
        runs = core.GaugeMetricFamily(
            "neuronspan_node_largest_free_run", "NeuronCores in the longest free run of a node.", labels=["node"]
        )
        scattered = core.GaugeMetricFamily(
            "neuronspan_node_fragmentation", "Share of a node's free cores outside its longest run.", labels=["node"]
        )
        for node, book in self._ledgers.items():
            for state in grants.GrantState:
                cores.add_metric([node, state], sum(each.span.count for each in book.grants if each.state is state))
            cores.add_metric([node, "Free"], book.free_cores)
            runs.add_metric([node], book.largest_free_run())
            scattered.add_metric([node], book.fragmentation())
        yield from (cores, runs, scattered)
