"""Where to cut a row of operations into stages: the slowest stage decides, then how much the stages hand on.

Law: pure; measured times in, places out, and every stage computes something.
"""

import bisect
import collections
import dataclasses
import itertools
from collections.abc import Sequence

SLACK = 0.02
"""How much slower than the best possible the slowest stage may be if the stages then hand on fewer bytes.

Measured times are no better than that: without it noise would choose between equally good places.
"""


@dataclasses.dataclass(frozen=True)
class OperationProfile:
    """What is known of each operation of a model, in order; all three are equally long."""

    nanoseconds: tuple[int, ...]
    """What the operation takes."""
    carried_bytes: tuple[int, ...]
    """Bytes that a stage would hand on if the next one began with this operation."""
    computes: tuple[bool, ...]
    """Whether it computes; a view or an integer makes no stage."""

    def most_stages(self) -> int:
        """Return into how many stages the operations can be cut."""
        return sum(self.computes)


def boundaries(profile: OperationProfile, stages: int, slack: float = SLACK) -> tuple[int, ...]:
    """Return the first operation of each stage but the first. Every stage computes something.

    Raises ValueError for more stages than operations that compute, or fewer than one.
    """
    if not 1 <= stages <= max(profile.most_stages(), 1):
        raise ValueError(f"it has {profile.most_stages()} operations that compute something")
    places = _places(profile)
    edges = [0, *places, len(profile.nanoseconds)]
    total = [0, *itertools.accumulate(profile.nanoseconds)]
    parts = [total[end] - total[begin] for begin, end in itertools.pairwise(edges)]
    chosen = lightest_cuts(parts, [profile.carried_bytes[place] for place in places], stages, slack)
    return tuple(places[cut - 1] for cut in chosen)


def lightest_cuts(times: Sequence[int], weights: Sequence[int], stages: int, slack: float = 0.0) -> tuple[int, ...]:
    """Return the cuts with the least weight among those whose slowest stage is the fastest, or within `slack` of it.

    Cut `c` is before `times[c]` and weighs `weights[c - 1]`. Exact. Needs at least as many times as stages.
    """
    limit = int(slowest_stage(times, stages) * (1 + slack))
    total = [0, *itertools.accumulate(times)]
    count = len(times)
    # least[c]: least weight of the cuts of the stages so far, the last of which ends before times[c]
    least: list[float] = [0 if total[cut] <= limit else float("inf") for cut in range(count + 1)]
    least[0] = float("inf")
    origins: list[list[int]] = []
    for _ in range(stages - 1):
        least, origin = _one_stage_more(least, total, weights, limit)
        origins.append(origin)
    cuts = [count]
    for origin in reversed(origins):
        cuts.append(origin[cuts[-1]])
    return tuple(reversed(cuts[1:]))


def slowest_stage(times: Sequence[int], stages: int) -> int:
    """Return the time of the slowest stage of the best cut: the smallest limit within which `stages` stages suffice."""
    total = [0, *itertools.accumulate(times)]
    low, high = max(times, default=0), total[-1]
    while low < high:
        limit = (low + high) // 2
        if _stages_within(total, limit) <= stages:
            high = limit
        else:
            low = limit + 1
    return low


def _stages_within(total: Sequence[int], limit: int) -> int:
    """Count the stages if each takes as many operations as fit; none is longer than the limit."""
    begin, stages = 0, 0
    while begin < len(total) - 1:
        begin = bisect.bisect_right(total, total[begin] + limit) - 1
        stages += 1
    return stages


def _one_stage_more(
    least: Sequence[float], total: Sequence[int], weights: Sequence[int], limit: int
) -> tuple[list[float], list[int]]:
    """Extend the cheapest ways to every cut by a stage; both ends of the reachable window only move forward."""
    count = len(total) - 1
    extended, origin = [float("inf")] * (count + 1), [0] * (count + 1)
    window: collections.deque[tuple[float, int]] = collections.deque()  # weights ascend, the lightest first
    for end in range(2, count + 1):
        cut = end - 1
        weight = least[cut] + weights[cut - 1]
        while window and window[-1][0] > weight:
            window.pop()
        window.append((weight, cut))
        while window and total[end] - total[window[0][1]] > limit:
            window.popleft()
        if window:
            extended[end], origin[end] = window[0]
    return extended, origin


def _places(profile: OperationProfile) -> list[int]:
    """Return a place to cut between each two operations that compute: where the least is handed on, the first such."""
    computing = [index for index, computes in enumerate(profile.computes) if computes]
    return [
        min(range(before + 1, after + 1), key=profile.carried_bytes.__getitem__)
        for before, after in itertools.pairwise(computing)
    ]
