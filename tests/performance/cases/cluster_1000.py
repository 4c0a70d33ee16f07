"""Pods from created to bound, by the operator and by plain kube-scheduler in turns, on 1000 nodes."""

from performance import sampling
from performance.cluster import sampling as cluster_sampling


def measure() -> sampling.Samples:
    """Return rates, single pods' times and calls of both kinds of pods."""
    return cluster_sampling.measure(1000, 1000)
