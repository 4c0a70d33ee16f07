"""Where operations are cut into stages: tables; the properties tests compare with every possible cut."""

import itertools

import pytest

from neuronspan_runtime.compiling import stage_balance


@pytest.mark.parametrize(
    ("nanoseconds", "carried", "computes", "stages", "expected"),
    [
        pytest.param([5, 5, 5, 5], [0, 1, 1, 1], "cccc", 1, (), id="one stage"),
        pytest.param([5, 5, 5, 5], [0, 1, 1, 1], "cccc", 2, (2,), id="halves"),
        pytest.param([5, 5, 5, 5], [0, 9, 9, 9], "cccc", 4, (1, 2, 3), id="one each"),
        pytest.param([9, 1, 1, 1], [0, 1, 1, 1], "cccc", 2, (1,), id="a slow one alone"),
        pytest.param([8, 1, 1, 8], [0, 9, 1, 9], "cccc", 2, (2,), id="the least is handed on between equals"),
        pytest.param([100, 1, 100], [0, 9, 1], "ccc", 2, (2,), id="within the slack the least is handed on"),
        pytest.param([100, 9, 100], [0, 1, 9], "ccc", 2, (1,), id="beyond the slack time decides, first place first"),
        pytest.param([5, 0, 0, 5], [0, 8, 4, 8], "c--c", 2, (2,), id="among views the smallest one is handed on"),
        pytest.param([0, 5, 0, 5, 0], [0, 1, 1, 1, 1], "-c-c-", 2, (2,), id="views at the ends stay there"),
    ],
)
def test_boundaries_balance_time_then_bytes(
    nanoseconds: list[int], carried: list[int], computes: str, stages: int, expected: tuple[int, ...]
) -> None:
    profile = stage_balance.OperationProfile(
        tuple(nanoseconds), tuple(carried), tuple(mark == "c" for mark in computes)
    )
    assert stage_balance.boundaries(profile, stages) == expected


@pytest.mark.parametrize("stages", [0, 3])
def test_boundaries_refuse_more_stages_than_operations_that_compute(stages: int) -> None:
    profile = stage_balance.OperationProfile((1, 1, 1), (0, 0, 0), (True, False, True))
    with pytest.raises(ValueError, match="it has 2 operations that compute something"):
        stage_balance.boundaries(profile, stages)


def test_boundaries_of_a_model_of_ten_thousand_operations_are_found() -> None:
    count = 10_000
    profile = stage_balance.OperationProfile(tuple(index % 7 for index in range(count)), (1,) * count, (True,) * count)
    edges = (0, *stage_balance.boundaries(profile, 64), count)
    longest = max(sum(profile.nanoseconds[begin:end]) for begin, end in itertools.pairwise(edges))
    assert longest <= sum(profile.nanoseconds) / 64 * (1 + stage_balance.SLACK) + 6
