"""Every metric of the operator, in one place.

Law: values are set by the code they describe; nothing here reads the cluster. Gauges per node are computed at
each scrape, from the ledgers of the last plan, so that a thousand nodes cost nothing between scrapes.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import core
from prometheus_client.registry import Collector

from neuronspan import grants, ledger
from neuronspan_agent import meters
from neuronspan_operator import reasons

_STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LEDGER_OUTCOMES = (
    reasons.Outcome.WRITTEN,
    reasons.Outcome.CONFLICT,
    reasons.Outcome.REFUSED,
    reasons.Outcome.FAILED,
)
_PLAN_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics(meters.Meters):
    """The operator's metrics."""

    def __init__(self) -> None:
        super().__init__("neuronspan")
        self.nodes = _NodeCollector()
        self.registry.register(self.nodes)

        # --- the life of a grant ---------------------------------------------------------------------------------
        self.stages = self.histogram(
            "stage_seconds",
            "Time a pod spent in a stage: granted (created to ledger entry), bound (ledger entry to binding, of a "
            "guest to gate removed), confirmed (ledger entry to held on the node), released (pod over to cores free).",
            _STAGE_BUCKETS,
            "stage",
        )
        self.waiting = self.gauge("waiting_pods", "Pods that wait for cores, by reason.", "reason")
        self.ledger_writes = self.counter(
            "ledger_writes",
            "Compare-and-swap writes of a node's ledger: written, conflict (another client wrote first), refused (the "
            "API server's own rules said no; must stay 0), failed.",
            "outcome",
        )
        for outcome in _LEDGER_OUTCOMES:
            self.ledger_writes.labels(outcome)  # there from the start: an alert on "refused" needs a zero to rise from
        self.bindings = self.counter(
            "bindings",
            "Pods bound to their nodes: done, stale (the pod changed meanwhile), gone, refused, failed, held (left "
            "alone after a failure).",
            "outcome",
        )
        self.ungates = self.counter(
            "ungates",
            "Guests let through to their scheduler, by the same outcomes.",
            "outcome",
        )
        self.pod_patches = self.counter("pod_patches", "Other patches of pods, by the same outcomes.", "outcome")
        self.claim_writes = self.counter(
            "claim_writes",
            "Nodes selected for claims, and volumes held for them: written, conflict, gone, refused, failed.",
            "outcome",
        )
        self.evictions = self.counter("evictions", "Evictions: evicted, gone, failed.", "outcome")
        self.drift = self.counter("drift", "Disagreements of ledger and node, counted when they appear.", "kind")
        self.events = self.counter(
            "events", "Kubernetes Events: created, updated, renewed (before they expire), repeated, failed.", "outcome"
        )
        self.conditions = self.counter(
            "pod_conditions",
            "PodScheduled conditions of waiting pods: done, stale (the pod changed meanwhile), gone, refused, failed.",
            "outcome",
        )
        self.untold = self.gauge(
            "untold", "What is due to be said of pods and waits for its turn: conditions, events.", "kind"
        )

        # --- the webhook -------------------------------------------------------------------------------------------
        self.reviews = self.counter(
            "webhook_reviews",
            "Reviews that the webhook answered: allowed, changed, refused, broken (what came was no review), failed "
            "(an error of ours).",
            "webhook",
            "outcome",
        )
        self.review_seconds = self.histogram(
            "webhook_review_seconds", "Time to answer a review, without its way to us.", _PLAN_BUCKETS, "webhook"
        )

        # --- the operator itself ---------------------------------------------------------------------------------
        self.planning = self.histogram("plan_seconds", "Time to decide one plan.", _PLAN_BUCKETS)
        self.rounds = self.counter("reconciles", "Rounds of the reconciler: done, failed.", "outcome")
        self.leader = self.gauge("leader", "1 while this process leads, 0 while it stands by.")


class _NodeCollector(Collector):
    """Cores per node and state, from the ledgers it was shown last."""

    def __init__(self) -> None:
        self._ledgers: Mapping[str, ledger.Ledger] = {}

    def show(self, ledgers: Mapping[str, ledger.Ledger]) -> None:
        """Take the ledgers, by node name; they may change later, between two scrapes."""
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
