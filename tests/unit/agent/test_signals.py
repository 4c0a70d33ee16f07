"""A change is never lost, and wakes everyone who has not seen it."""

import asyncio

import pytest

from neuronspan_agent import signals


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_beyond_gives_at_once_what_was_raised_before_the_wait() -> None:
    signal = signals.Signal()
    signal.raised()
    signal.raised()
    assert await signal.beyond(0) == 2


async def test_raised_wakes_everyone_who_waits() -> None:
    signal = signals.Signal()
    waiting = [asyncio.create_task(signal.beyond(0)) for _ in range(3)]
    await asyncio.sleep(1)
    assert not any(each.done() for each in waiting)
    signal.raised()
    assert await asyncio.gather(*waiting) == [1, 1, 1]


async def test_beyond_within_ends_at_its_time_when_nothing_changed() -> None:
    signal, started = signals.Signal(), now()
    assert not await signal.beyond_within(0, 3, collect_seconds=0.5)
    assert now() - started == pytest.approx(3)


async def test_beyond_within_collects_changes_for_a_moment() -> None:
    signal, started = signals.Signal(), now()
    asyncio.get_running_loop().call_later(10, signal.raised)
    asyncio.get_running_loop().call_later(10.3, signal.raised)
    assert await signal.beyond_within(0, None, collect_seconds=0.5)
    assert now() - started == pytest.approx(10.5)
    assert not await signal.beyond_within(signal.version, 60)


@pytest.mark.parametrize("seconds", [0, -1, 60])
async def test_beyond_within_counts_what_was_raised_before_the_wait(seconds: float) -> None:
    signal = signals.Signal()
    signal.raised()
    started = now()
    assert await signal.beyond_within(0, seconds)
    assert now() == started
