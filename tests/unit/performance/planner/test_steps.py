"""What counting sees."""

import pytest

from performance.planner import steps


def _walk(count: int) -> steps.Counted:
    things = list(range(count))
    return steps.count(lambda: sum(1 for _ in things), things.copy)


def test_a_walk_shows_in_steps_and_a_copy_in_bytes() -> None:
    few, many = _walk(1_000), _walk(2_000)
    assert many.steps - few.steps >= 3 * 1_000
    assert many.peak_bytes - few.peak_bytes == 8 * 1_000


def test_the_same_work_takes_the_same_steps() -> None:
    assert _walk(100).steps == _walk(100).steps


def test_of_several_calls_the_one_with_the_least_memory_counts() -> None:
    sizes = [1_000_000, 0]
    assert steps.count(lambda: None, *[lambda: bytes(sizes.pop(0))] * 2).peak_bytes < 1_000


def test_whoever_traced_before_traces_again() -> None:
    with pytest.raises(ZeroDivisionError):
        steps.count(lambda: 1 // 0)
    assert steps.count(lambda: None, lambda: None).steps > 0
