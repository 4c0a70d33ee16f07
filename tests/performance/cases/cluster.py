"""Pods from created to bound, by the operator and by plain kube-scheduler, in clusters of two sizes."""

import sys
from collections.abc import Mapping

from performance import sampling
from performance.cluster import measuring

SIZES: Mapping[int, int] = {100: 400, 1000: 1000}
"""Nodes, and pods of each kind in every round."""
ROUNDS = 5
SINGLES = 31


def measure() -> sampling.Samples:
    """Print all figures of each size; pods per second round by round, and milliseconds of single pods."""
    samples: dict[str, list[float]] = {}
    for nodes, pods in SIZES.items():
        result = measuring.compare(nodes=nodes, pods=pods, rounds=ROUNDS, singles=SINGLES)
        sys.stdout.write(measuring.table(result) + "\n")
        sys.stdout.flush()
        for kind, runs in result.runs.items():
            samples[f"{kind}_speed_{nodes}"] = [run.pods_per_second for run in runs]
            samples[f"{kind}_idle_{nodes}"] = list(result.idle_milliseconds[kind])
        samples[f"speed_ratio_{nodes}"] = result.speed_ratios()
        samples[f"idle_ratio_{nodes}"] = result.idle_ratios()
        samples[f"operator_{nodes}"] = [run.processor_milliseconds()["operator"] for run in result.runs["cores"]]
    return samples
