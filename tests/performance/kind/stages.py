"""Where a start spends its time: what operator and node agent logged about it, by `kubectl logs --timestamps`. Pure."""

import datetime as dt
import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

MARKS: Mapping[str, str] = {
    "created → grant stored": "grant stored",
    "→ allocated, after binding and kubelet's admission": "allocated",
    "→ start approved, after volumes, sandbox and container": "start approved",
}
"""The stages up to a line of the log that says that they are over."""
LAST = "→ container runs"


def moments(lines: Iterable[str], pod: str, created: float) -> list[float]:
    """Return when each mark was logged first for a pod that was created then, in seconds since 1970.

    Earlier lines are about former pods of the same name. KeyError names a mark that is missing.
    """
    found: dict[str, float] = {}
    for line in lines:
        stamp, _, text = line.partition(" ")
        if pod not in text.replace('"', " ").replace("=", " ").split():
            continue
        moment = dt.datetime.fromisoformat(stamp).timestamp()
        for mark in MARKS.values():
            if mark in text and moment >= created:
                found[mark] = min(moment, found.get(mark, moment))
    return [found[mark] for mark in MARKS.values()]


def milliseconds(created: float, marks: Sequence[float], started: float) -> list[float]:
    """Return how long each stage took, the last one included; the clocks of all are that of one machine."""
    points = [created, *marks, started]
    return [1000 * (later - earlier) for earlier, later in itertools.pairwise(points)]


def table(starts: Sequence[Sequence[float]]) -> str:
    """Return the median of each stage as a Markdown table."""
    lines = ["| stage of a pod with a NeuronCore | median, ms |", "|---|---|"]
    lines += [
        f"| {stage} | {statistics.median(taken):.4g} |"
        for stage, taken in zip([*MARKS, LAST], zip(*starts, strict=True), strict=True)
    ]
    return "\n".join(lines)
