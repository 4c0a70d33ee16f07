"""Back-off that tells what moved."""

import pytest

from neuronspan_operator.reconciling.memory import pauses


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failing(clock: Clock) -> pauses.Pauses:
    return pauses.Pauses(clock)


def test_failure_and_the_end_of_its_pause_are_told_once_each(failing: pauses.Pauses, clock: Clock) -> None:
    failing.failed("a")
    assert (failing.moved(), failing.moved()) == (["a"], [])
    clock.now = 0.9
    assert failing.moved() == []
    clock.now = 1.0
    assert (failing.moved(), failing.moved()) == (["a"], [])
    assert not failing.holds("a")


def test_success_is_told_only_of_what_failed(failing: pauses.Pauses) -> None:
    failing.succeeded("a")
    assert failing.moved() == []
    failing.failed("a")
    failing.moved()
    failing.succeeded("a")
    assert failing.moved() == ["a"]


def test_pause_that_a_later_failure_made_longer_ends_later(failing: pauses.Pauses, clock: Clock) -> None:
    failing.failed("a")
    failing.failed("a")
    failing.moved()
    clock.now = 1.0
    assert failing.moved() == []
    assert failing.next_release() == 1.0
    clock.now = 2.0
    assert failing.moved() == ["a"]


def test_next_release_is_that_of_what_still_fails(failing: pauses.Pauses, clock: Clock) -> None:
    failing.failed("a")
    clock.now = 0.5
    failing.failed("b")
    failing.succeeded("a")
    assert failing.next_release() == 1.0
    failing.succeeded("b")
    assert failing.next_release() is None


def test_failures_count_on_after_their_pause_and_are_forgotten_long_after_it(
    failing: pauses.Pauses, clock: Clock
) -> None:
    failing.failed("a")
    clock.now = 1.0
    failing.moved()
    clock.now += pauses.KEPT_SECONDS
    failing.forget_old()
    assert failing.failed("a") == 2.0
    clock.now += 2.0
    failing.moved()
    clock.now += pauses.KEPT_SECONDS + 1.0
    failing.forget_old()
    assert failing.failed("a") == 1.0


def test_pauses_that_are_over_are_forgotten_with_their_keys(failing: pauses.Pauses, clock: Clock) -> None:
    for number in range(5):
        failing.failed(f"key-{number}")
        clock.now += 100.0
        failing.moved()
    failing.keep_only({"key-4"})
    assert [key for _, key in failing._over] == ["key-4"]
