"""The operator's process in a cluster of 5 000 nodes: resident memory, and CPU time per event from socket to plan."""

from performance import sampling
from performance.footprint import measuring
from performance.planner import scenes

NODES = 5000
FOREIGN_PODS = 50_000
_MIB = 2**20


def measure() -> sampling.Samples:
    """Return MiB, microseconds of the reference machine per event, and seconds of CPU until it is at rest."""
    found = measuring.measure(scenes.Scene(NODES, foreign=FOREIGN_PODS))
    empty = measuring.measure(scenes.Scene(1, foreign=1), events=0)
    return {
        "empty": [empty.resident_bytes / _MIB],
        "resident": [found.resident_bytes / _MIB],
        "peak": [found.peak_bytes / _MIB],
        "event": [found.event_microseconds],
        "start": [found.start_seconds],
    }
