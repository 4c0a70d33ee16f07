"""What vizneuron, a plugin of VizTracer, reads of the tree (`vizneuron-counters` in the readers' image)."""

import dataclasses
import json
from collections.abc import Mapping

PROGRAM = "vizneuron-counters"


@dataclasses.dataclass(frozen=True)
class Read:
    """The physical cores of each device in turn, and each counter of memory by its path with dots, in bytes."""

    cores: tuple[int, ...]
    memory: Mapping[str, float]


def parse(said: str) -> Read:
    """Read what the program printed: its counts in one line, then a trace, of which the last sample counts."""
    counts, _, trace = said.partition("\n")
    samples = [event["args"] for event in json.loads(trace)["traceEvents"] if event["name"] == "memory_usage"]
    return Read(tuple(json.loads(counts)), samples[-1])
