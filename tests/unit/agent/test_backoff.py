"""Delays grow with failures in a row, and end with a success."""

import pytest

from neuronspan_agent import backoff


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def troubles(clock: Clock) -> backoff.Backoff:
    return backoff.Backoff(clock, backoff.Delays(first=1, longest=60))


def test_delay_doubles_up_to_the_limit(troubles: backoff.Backoff) -> None:
    assert [troubles.failed("pod") for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_delay_stays_finite_after_very_many_failures() -> None:
    assert backoff.Delays().after(100_000) == 60


def test_key_is_held_until_its_delay_is_over(troubles: backoff.Backoff, clock: Clock) -> None:
    troubles.failed("pod")
    clock.now += 0.9
    assert troubles.holds("pod")
    assert not troubles.holds("other")
    assert troubles.remaining("pod") == pytest.approx(0.1)
    clock.now += 0.1
    assert not troubles.holds("pod")
    assert troubles.remaining("pod") == 0


def test_success_starts_the_delays_over(troubles: backoff.Backoff) -> None:
    troubles.failed("pod")
    troubles.failed("pod")
    troubles.succeeded("pod")
    assert not troubles.holds("pod")
    assert troubles.failed("pod") == 1


def test_next_release_is_the_earliest_one_still_to_come(troubles: backoff.Backoff, clock: Clock) -> None:
    assert troubles.next_release() is None
    troubles.failed("early")
    troubles.failed("late")
    troubles.failed("late")
    assert troubles.next_release() == 1
    clock.now += 1.5
    assert troubles.next_release() == 0.5


def test_keep_only_forgets_what_is_gone(troubles: backoff.Backoff) -> None:
    troubles.failed("here")
    troubles.failed("gone")
    troubles.keep_only({"here"})
    assert troubles.failed("gone") == 1
    assert troubles.failed("here") == 2
