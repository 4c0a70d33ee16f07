"""Every metric of the operator, in one place.

Law: values are set by the code they describe; nothing here reads the cluster. Gauges per node are computed when
somebody scrapes, from the ledgers of the last plan, so that a thousand nodes cost nothing between scrapes.
"""

from collections.abc import Iterator, Mapping

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
        self.registry = registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=registry)
        prometheus_client.PlatformCollector(registry=registry)

        # --- the life of a grant ---------------------------------------------------------------------------------
        self.stages = prometheus_client.Histogram(
            "neuronspan_stage_seconds",
            "Time a pod spent in a stage: granted (created to ledger entry), ungated (ledger entry to gate removed), "
            "confirmed (ledger entry to held on the node), released (pod over to cores free).",
            ["stage"],
            buckets=_STAGE_BUCKETS,
            registry=registry,
        )
        self.waiting = prometheus_client.Gauge(
            "neuronspan_waiting_pods", "Gated pods without cores, by reason.", ["reason"], registry=registry
        )
        self.ledger_writes = prometheus_client.Counter(
            "neuronspan_ledger_writes",
            "Compare-and-swap writes of a node's ledger: written, conflict (somebody else wrote first), refused (the "
            "API server's own rules said no; must stay 0), failed.",
            ["outcome"],
            registry=registry,
        )
        self.ungates = prometheus_client.Counter(
            "neuronspan_ungates",
            "Pods let through to the scheduler: done, stale (the pod changed meanwhile), gone, refused, failed, held "
            "(left alone after a failure).",
            ["outcome"],
            registry=registry,
        )
        self.pod_patches = prometheus_client.Counter(
            "neuronspan_pod_patches", "Other patches of pods, by the same outcomes.", ["outcome"], registry=registry
        )
        self.drift = prometheus_client.Counter(
            "neuronspan_drift",
            "Disagreements of ledger and node, counted when they appear.",
            ["kind"],
            registry=registry,
        )
        self.evictions = prometheus_client.Counter(
            "neuronspan_evictions", "Evictions: evicted, gone, failed.", ["outcome"], registry=registry
        )
        self.events = prometheus_client.Counter(
            "neuronspan_events",
            "Kubernetes Events: created, updated, repeated, failed.",
            ["outcome"],
            registry=registry,
        )
        self.planning = prometheus_client.Histogram(
            "neuronspan_plan_seconds", "Time to decide one plan.", buckets=_PLAN_BUCKETS, registry=registry
        )
        self.rounds = prometheus_client.Counter(
            "neuronspan_reconciles", "Rounds of the reconciler: done, failed.", ["outcome"], registry=registry
        )
        self.nodes = _NodeCollector()
        registry.register(self.nodes)

        # --- caches and leadership -------------------------------------------------------------------------------
        self.cache_objects = prometheus_client.Gauge(
            "neuronspan_cache_objects", "Objects mirrored.", ["resource"], registry=registry
        )
        self.cache_events = prometheus_client.Counter(
            "neuronspan_cache_events", "Events of watches.", ["resource"], registry=registry
        )
        self.cache_streams = prometheus_client.Counter(
            "neuronspan_cache_streams", "Watch streams that ended or broke.", ["resource", "outcome"], registry=registry
        )
        self.cache_relists = prometheus_client.Counter(
            "neuronspan_cache_relists", "Lists after the first.", ["resource", "reason"], registry=registry
        )
        self.cache_unreadable = prometheus_client.Counter(
            "neuronspan_cache_unreadable", "Objects that could not be read.", ["resource"], registry=registry
        )
        self.leader = prometheus_client.Gauge(
            "neuronspan_leader", "1 while this process leads, 0 while it stands by.", registry=registry
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
