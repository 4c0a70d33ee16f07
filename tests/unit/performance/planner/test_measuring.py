"""What is timed, and what is not: with a clock that counts instead."""

import time
from collections.abc import Callable

import pytest

from kits.manifests import snapshots
from neuronspan_operator.pools import membership
from performance.planner import calibration, measuring, scenes


def _subject(timed: Callable[[Callable[[], object]], float]) -> measuring.Subject:
    return measuring.Subject.of(scenes.Scene(3, foreign=4), timed=timed)


def _work(work: Callable[[], object]) -> float:
    work()
    return 12.0


@pytest.mark.parametrize("name", ["one_by_one", "at_once", "whole_lives"])
def test_what_a_batch_took_is_shared_by_its_pods_and_all_is_as_before(name: str) -> None:
    subject = _subject(_work)
    for _ in range(3):  # twelve pods fit: the ones before must have given their cores back
        assert getattr(subject, name)(10) == 1.2


def test_an_event_is_told_in_microseconds() -> None:
    assert _subject(_work).foreign_events(8) == 1500.0
    assert _subject(_work).looks_at_pools(3) == 4000.0


def test_nodes_of_a_scene_are_as_their_pool_wants_them() -> None:
    known = scenes.Scene(3).changes()
    decision = membership.Membership().decide(known, snapshots.NOW)
    assert [decision.creations, decision.changes, decision.removals, decision.marks] == [[], [], [], []]


def test_pods_that_are_too_large_wait_and_take_nothing() -> None:
    subject = _subject(_work)
    subject.fill_with_waiting(5)
    assert subject.at_once(12) == 1.0


def test_a_batch_that_is_not_bound_as_a_whole_is_no_measurement() -> None:
    with pytest.raises(AssertionError, match="12 of 13 pods were bound"):
        _subject(_work).at_once(13)


def test_milliseconds_are_divided_by_how_slow_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([1.0, 1.5])
    monkeypatch.setattr(calibration, "slowness", lambda: 2.0)
    monkeypatch.setattr(time, "thread_time", lambda: next(moments))
    assert measuring.milliseconds(lambda: None) == 250.0


def test_measures_in_turns_stand_by_measure() -> None:
    numbers = iter(range(6))
    assert measuring.in_turns(3, *[lambda: float(next(numbers))] * 2) == [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
