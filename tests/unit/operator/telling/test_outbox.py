"""Turns: most urgent first, never faster than the rate, and everything in the end."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable

import pytest

from neuronspan_operator.telling import outbox

LIMITS = outbox.Limits(per_second=5.0, burst=10, parallel=3)


class Desk:
    """An outbox whose writes take ``seconds()`` each, and when each began."""

    def __init__(self, limits: outbox.Limits = LIMITS, seconds: Callable[[], float] = lambda: 0.01) -> None:
        self.clock = asyncio.get_running_loop().time
        self.box = outbox.Outbox[str](self.clock, limits, self._write)
        self.begun: list[tuple[float, str]] = []
        self.most = 0
        self._seconds = seconds
        self._under_way: list[str] = []

    async def _write(self, key: str) -> None:
        assert key not in self._under_way
        self._under_way.append(key)
        self.most = max(self.most, len(self._under_way))
        self.begun.append((self.clock(), key))
        await asyncio.sleep(self._seconds())
        self._under_way.remove(key)

    @property
    def written(self) -> list[str]:
        return [key for _, key in self.begun]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.box.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_most_urgent_is_written_first_and_equals_in_the_order_of_their_coming() -> None:
    desk = Desk(outbox.Limits(per_second=5.0, burst=10, parallel=1))
    desk.box.put("renewed", outbox.Urgency.RENEWED)
    desk.box.put("reworded", outbox.Urgency.REWORDED)
    desk.box.put("new", outbox.Urgency.NEW)
    desk.box.put("newer", outbox.Urgency.NEW)
    await desk.box.flush()
    assert desk.written == ["new", "newer", "reworded", "renewed"]


async def test_write_that_ends_in_an_exception_is_logged_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk()
    write = desk._write

    async def sometimes(key: str) -> None:
        if key == "bad":
            raise ZeroDivisionError("a bug")
        await write(key)

    monkeypatch.setattr(desk.box, "_write", sometimes)
    async with desk.running():
        for key in ("bad", "good"):
            desk.box.put(key, outbox.Urgency.NEW)
        await asyncio.sleep(1)
        desk.box.put("later", outbox.Urgency.NEW)
        await asyncio.sleep(1)
    assert desk.written == ["good", "later"]
    assert "a bug" in caplog.text
    caplog.clear()


async def test_nothing_is_written_before_its_time() -> None:
    desk = Desk()
    async with desk.running():
        desk.box.put("a", outbox.Urgency.NEW, desk.clock() + 30)
        await asyncio.sleep(29)
        assert desk.written == []
        await asyncio.sleep(2)
    assert desk.written == ["a"]


async def test_key_that_is_put_again_keeps_its_turn() -> None:
    desk = Desk(outbox.Limits(per_second=5.0, burst=10, parallel=1))
    for key in ("a", "b", "a"):
        desk.box.put(key, outbox.Urgency.NEW)
    await desk.box.flush()
    assert desk.written == ["a", "b"]


async def test_key_that_becomes_more_urgent_moves_to_the_front() -> None:
    desk = Desk(outbox.Limits(per_second=5.0, burst=10, parallel=1))
    desk.box.put("b", outbox.Urgency.REWORDED)
    desk.box.put("a", outbox.Urgency.RENEWED)
    desk.box.put("a", outbox.Urgency.NEW)
    await desk.box.flush()
    assert desk.written == ["a", "b"]


async def test_dropped_keys_are_not_written() -> None:
    desk = Desk()
    for key in ("a", "b", "c"):
        desk.box.put(key, outbox.Urgency.NEW)
    desk.box.drop("a")
    desk.box.keep_only(["c"])
    await desk.box.flush()
    assert desk.written == ["c"]
    assert "c" not in desk.box


async def test_key_that_is_put_while_it_is_written_is_written_again_afterwards() -> None:
    desk = Desk(seconds=lambda: 5.0)
    async with desk.running():
        desk.box.put("a", outbox.Urgency.NEW)
        await asyncio.sleep(1)
        desk.box.put("a", outbox.Urgency.NEW)
        await asyncio.sleep(20)
    assert [round(moment - desk.begun[0][0]) for moment, _ in desk.begun] == [0, 5]


async def test_flush_leaves_what_the_rate_does_not_allow_yet() -> None:
    desk = Desk()
    for index in range(15):
        desk.box.put(f"{index}", outbox.Urgency.NEW)
    await desk.box.flush()
    assert (len(desk.written), desk.box.overdue) == (10, 5)


async def test_one_slow_write_does_not_hold_up_the_others() -> None:
    seconds = iter([100.0])
    desk = Desk(seconds=lambda: next(seconds, 0.01))
    async with desk.running():
        for index in range(8):
            desk.box.put(f"{index}", outbox.Urgency.NEW)
        await asyncio.sleep(5)
    assert len(desk.written) == 8


@pytest.mark.parametrize("seed", range(20))
async def test_rate_is_never_exceeded_and_all_that_is_wanted_is_written(seed: int) -> None:
    """Any history of puts and drops: windows of every length are counted."""
    rng = random.Random(seed)  # noqa: S311 - a seed makes the test repeatable
    desk = Desk(seconds=lambda: rng.uniform(0.0, 2.0))
    wanted: dict[str, float] = {}
    async with desk.running():
        for _ in range(120):
            key = f"{rng.randrange(40)}"
            if rng.random() < 0.2:
                desk.box.drop(key)
                wanted.pop(key, None)
            else:
                due = desk.clock() + rng.choice([0.0, 0.0, rng.uniform(0.0, 20.0)])
                desk.box.put(key, rng.choice(list(outbox.Urgency)), due)
                wanted[key] = due
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.0, rng.uniform(0.0, 4.0)]))
        await asyncio.sleep(200)
        assert desk.box.overdue == 0
    last = {key: moment for moment, key in desk.begun}
    assert all(last[key] >= due for key, due in wanted.items())
    assert desk.most <= LIMITS.parallel
    moments = [moment for moment, _ in desk.begun]
    for index, start in enumerate(moments):
        for count, end in enumerate(moments[index:], start=1):
            assert count <= LIMITS.burst + LIMITS.per_second * (end - start) + 1e-3
