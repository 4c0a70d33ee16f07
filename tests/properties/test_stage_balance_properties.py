"""Cutting a row of operations, against every possible cut."""

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from neuronspan_runtime.compiling import stage_balance

TIMES = st.lists(st.integers(0, 20), min_size=1, max_size=9)


@st.composite
def rows(draw: st.DrawFn) -> tuple[list[int], list[int], int]:
    """Return times, the weights of the cuts between them, and a number of stages."""
    times = draw(TIMES)
    weights = draw(st.lists(st.integers(0, 5), min_size=len(times) - 1, max_size=len(times) - 1))
    return times, weights, draw(st.integers(1, len(times)))


@st.composite
def profiles(draw: st.DrawFn) -> tuple[stage_balance.OperationProfile, int]:
    """Return a profile with at least one operation that computes, and a number of stages it can be cut into."""
    count = draw(st.integers(1, 12))
    computes = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    numbers = st.lists(st.integers(0, 50), min_size=count, max_size=count)
    profile = stage_balance.OperationProfile(tuple(draw(numbers)), tuple(draw(numbers)), tuple(computes))
    return profile, draw(st.integers(1, profile.most_stages()))


def every_cut(count: int, stages: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(1, count), stages - 1))


def slowest(times: Sequence[int], cuts: Sequence[int]) -> int:
    return max(sum(times[begin:end]) for begin, end in itertools.pairwise([0, *cuts, len(times)]))


@given(rows())
def test_slowest_stage_is_that_of_the_best_of_all_cuts(row: tuple[list[int], list[int], int]) -> None:
    times, _, stages = row
    assert stage_balance.slowest_stage(times, stages) == min(
        slowest(times, cuts) for cuts in every_cut(len(times), stages)
    )


@given(rows(), st.sampled_from([0.0, 0.1, 1.0]))
def test_lightest_cuts_are_lightest_among_the_fast_ones(row: tuple[list[int], list[int], int], slack: float) -> None:
    times, weights, stages = row
    found = stage_balance.lightest_cuts(times, weights, stages, slack)
    limit = int(stage_balance.slowest_stage(times, stages) * (1 + slack))

    def weight(cuts: Sequence[int]) -> int:
        return sum(weights[cut - 1] for cut in cuts)

    assert found in every_cut(len(times), stages)
    assert slowest(times, found) <= limit
    fast = [cuts for cuts in every_cut(len(times), stages) if slowest(times, cuts) <= limit]
    assert weight(found) == min(map(weight, fast))


@given(profiles())
def test_boundaries_give_every_stage_something_to_compute(case: tuple[stage_balance.OperationProfile, int]) -> None:
    profile, stages = case
    edges = [0, *stage_balance.boundaries(profile, stages), len(profile.computes)]
    assert len(edges) == stages + 1
    assert all(any(profile.computes[begin:end]) for begin, end in itertools.pairwise(edges))
