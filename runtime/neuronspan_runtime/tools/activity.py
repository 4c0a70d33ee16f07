"""What happened between two looks at a page: how busy a core was, how calls ended and how long they took.

Law: pure; two pages in, numbers out, and a page of another process counts as no page.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from neuronspan_runtime.telemetry import page_layout

PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
"""Those that neuron-monitor reports."""
_NANOSECONDS = 1e9


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Calls of models by how they ended."""

    completed: int = 0
    completed_with_error: int = 0
    completed_with_numerical_error: int = 0
    timed_out: int = 0
    incorrect_input: int = 0
    failed_to_queue: int = 0

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(*(mine + theirs for mine, theirs in zip(_numbers(self), _numbers(other), strict=True)))


def utilisation(before: page_layout.Page | None, after: page_layout.Page, began: int, ended: int) -> float:
    """Return the percentage of the time from `began` to `ended` in which the core worked for its owner.

    Both are nanoseconds of the monotonic clock. A running execution counts as far as it got. `before` is None, or
    another process's page, when the owner began in between.
    """
    if ended <= began:
        return 0.0
    worked = _busy(after, ended) - (_busy(before, began) if _same_process(before, after) else 0)
    return min(max(100.0 * worked / (ended - began), 0.0), 100.0)


def outcomes(before: page_layout.Page | None, after: page_layout.Page) -> Outcomes:
    """Return the calls that ended in between."""
    if not _same_process(before, after) or before is None:
        return _outcomes(after)
    now, then = _outcomes(after), _outcomes(before)
    return Outcomes(*(max(new - old, 0) for new, old in zip(_numbers(now), _numbers(then), strict=True)))


def lasting(before: page_layout.Page | None, after: page_layout.Page) -> tuple[float, float]:
    """Return the seconds that executions were to last in between, and those that the CPU needed for them.

    Both are 0 without NEURONSPAN_TIME=device; where the second is larger, executions lasted longer than they were to.
    """
    new, old = (
        (page.counters.simulated_nanoseconds, page.counters.computing_nanoseconds) if page else (0, 0)
        for page in (after, before if _same_process(before, after) else None)
    )
    simulated, computing = (max(now - then, 0) / _NANOSECONDS for now, then in zip(new, old, strict=True))
    return simulated, computing


def durations(before: page_layout.Page | None, after: page_layout.Page, *, on_device: bool) -> tuple[int, ...]:
    """Return how many calls of each duration ended in between, by bucket; with or without the wait for the core."""
    new, old = (() if page is None else _histogram(page, on_device=on_device) for page in (after, before))
    if not _same_process(before, after):
        return new
    return tuple(max(now - then, 0) for now, then in zip(new, old, strict=True))


def added(histograms: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the sum of histograms of several cores."""
    return tuple(map(sum, zip(*histograms, strict=True)))


def percentiles(histogram: Sequence[int]) -> Mapping[str, float] | None:
    """Return p0 to p100 in seconds, None when nothing was counted.

    Durations are known by their bucket: within an eighth of themselves, or a microsecond when they are short.
    """
    total = sum(histogram)
    if not total:
        return None
    ends = list(itertools.accumulate(histogram))
    return {f"p{percent}": _duration(histogram, ends, total * percent / 100) / _NANOSECONDS for percent in PERCENTILES}


def _duration(histogram: Sequence[int], ends: Sequence[int], rank: float) -> float:
    """Return the duration at a rank: inside its bucket all durations are taken to be equally likely."""
    bucket = next(index for index, end in enumerate(ends) if histogram[index] and (end >= rank or end == ends[-1]))
    low, high = page_layout.bucket_nanoseconds(bucket)
    inside = (rank - (ends[bucket] - histogram[bucket])) / histogram[bucket]
    return low + (high - low) * min(max(inside, 0.0), 1.0)


def _busy(page: page_layout.Page | None, moment: int) -> int:
    if page is None:
        return 0
    since = page.counters.running_since
    return page.counters.busy_nanoseconds + (max(moment - since, 0) if since else 0)


def _same_process(before: page_layout.Page | None, after: page_layout.Page) -> bool:
    return before is not None and before.header == after.header


def _outcomes(page: page_layout.Page) -> Outcomes:
    return Outcomes(*(getattr(page.counters, field.name) for field in dataclasses.fields(Outcomes)))


def _numbers(value: Outcomes) -> tuple[int, ...]:
    return dataclasses.astuple(value)


def _histogram(page: page_layout.Page, *, on_device: bool) -> tuple[int, ...]:
    return page.device_latency if on_device else page.total_latency
