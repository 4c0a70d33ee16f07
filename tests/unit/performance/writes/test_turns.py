"""Calls in turns, on a clock that is given."""

import os

from performance.writes import turns


def test_only_the_call_is_counted_and_the_first_goes_last_every_second_round() -> None:
    now, order = 0.0, ""

    def prepared(name: str, cost: float) -> turns.Call:
        nonlocal now
        now += 100.0

        def call() -> None:
            nonlocal now, order
            now, order = now + cost, order + name

        return call

    calls = {"a": lambda _: prepared("a", 1.0), "b": lambda number: prepared("b", 2.0 + number)}
    taken = turns.milliseconds(calls, 3, lambda: now)
    assert taken == {"a": [1.0, 1.0, 1.0], "b": [2.0, 3.0, 4.0]}
    assert order[2 * turns.WARM_UP :] == "abbaab"


def test_ratios_are_taken_round_by_round() -> None:
    assert turns.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


def test_processor_time_of_a_process_grows_with_what_it_does() -> None:
    before = turns.processor_milliseconds(os.getpid())
    assert sum(range(10**6)) > 0
    assert turns.processor_milliseconds(os.getpid()) > before > 0
