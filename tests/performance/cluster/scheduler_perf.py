"""Results in the form of Kubernetes' scheduler_perf, so that they can be put beside its own. Pure.

Case names, metrics, buckets and units are those of test/integration/scheduler_perf; a data item has labels that all
items have, as perf-dash wants them.
"""

import statistics
from collections.abc import Sequence
from typing import Any

from performance.cluster import figures, measuring

_CASES = {
    "plain": "SchedulingBasic/{nodes}Nodes_{pods}Pods",
    "cores": "SchedulingWithExtendedResource/{pods}pods_{nodes}nodes",
}
_SCHEDULERS = {"plain": "kube-scheduler", "cores": "neuronspan"}


def document(results: Sequence[measuring.Comparison]) -> dict[str, Any]:
    """Return what scheduler_perf would write as JSON; the samples of all rounds are taken together."""
    items = [item for result in results for kind in result.runs for item in _items(result, kind)]
    return {"version": "v1", "dataItems": items}


def _items(result: measuring.Comparison, kind: str) -> list[dict[str, Any]]:
    runs = result.runs[kind]
    labels = {
        "Name": _CASES[kind].format(nodes=result.nodes, pods=result.pods),
        "Scheduler": _SCHEDULERS[kind],
    }

    def item(metric: str, data: dict[str, float], unit: str) -> dict[str, Any]:
        return {"data": data, "unit": unit, "labels": {**labels, "Metric": metric}}

    waits = [wait for run in runs for wait in run.latencies()]
    return [
        item("SchedulingThroughput", _buckets([rate for run in runs for rate in run.samples()]), "pods/s"),
        item("SchedulingDuration", {"Duration": statistics.median(run.seconds for run in runs)}, "s"),
        item("create_to_bound", _buckets(waits), "ms"),
        item("create_to_bound_idle", _buckets(result.idle_milliseconds[kind]), "ms"),
    ]


def _buckets(numbers: Sequence[float]) -> dict[str, float]:
    percentiles = {f"Perc{each}": figures.percentile(numbers, each) for each in figures.PERCENTS}
    return {"Average": statistics.fmean(numbers), **percentiles}
