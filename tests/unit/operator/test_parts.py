"""Parts of a process run together and end together; a loop sleeps until it is woken."""

import asyncio
import json
import logging

import pytest

from neuronspan_operator import errors, logs, parts, wakeup


class Part:
    """Runs until cancelled, and notes when."""

    def __init__(self, name: str, ends: list[str]) -> None:
        self.name = name
        self.ends = ends

    async def run(self) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            self.ends.append(self.name)


async def failing(after: float) -> None:
    await asyncio.sleep(after)
    raise ZeroDivisionError("a bug")


async def test_parts_end_in_reverse_order_when_stopped() -> None:
    stop, ends = asyncio.Event(), list[str]()
    asyncio.get_running_loop().call_later(5, stop.set)
    async with parts.Parts(stop) as running:
        running.start("first", Part("first", ends).run())
        running.start("second", Part("second", ends).run())
        await running.wait()
    assert ends == ["second", "first"]


async def test_parts_all_end_when_one_fails() -> None:
    ends = list[str]()
    async with parts.Parts(asyncio.Event()) as running:
        running.start("good", Part("good", ends).run())
        running.start("broken", failing(after=3))
        with pytest.raises(errors.PartEnded, match="broken ended: ZeroDivisionError") as trouble:
            await running.wait()
    assert ends == ["good"]
    assert isinstance(trouble.value.__cause__, ZeroDivisionError)


async def test_parts_that_end_quietly_are_a_trouble_too() -> None:
    async with parts.Parts(asyncio.Event()) as running:
        running.start("short", asyncio.sleep(1))
        with pytest.raises(errors.PartEnded, match="short ended"):
            await running.wait()


async def test_finish_tells_whether_the_step_was_done() -> None:
    stop = asyncio.Event()
    async with parts.Parts(stop) as running:
        assert await running.finish(asyncio.sleep(1))
        asyncio.get_running_loop().call_later(1, stop.set)
        assert not await running.finish(asyncio.sleep(100))


async def test_finish_raises_the_trouble_of_the_step_or_of_a_part() -> None:
    async with parts.Parts(asyncio.Event()) as running:
        with pytest.raises(ZeroDivisionError):
            await running.finish(failing(after=1))
        running.start("broken", failing(after=1))
        with pytest.raises(errors.PartEnded):
            await running.finish(asyncio.sleep(100))


async def test_wakeup_collects_changes_for_a_moment() -> None:
    sleeper = wakeup.Wakeup(0.5)
    started = asyncio.get_running_loop().time()
    asyncio.get_running_loop().call_later(10, sleeper.set)
    asyncio.get_running_loop().call_later(10.3, sleeper.set)
    await sleeper.wait()
    assert asyncio.get_running_loop().time() - started == pytest.approx(10.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await sleeper.wait()


async def test_wakeup_ends_at_its_time_and_keeps_no_change_from_anybody() -> None:
    sleeper = wakeup.Wakeup(0.5)
    started = asyncio.get_running_loop().time()
    await sleeper.wait(3)
    assert asyncio.get_running_loop().time() - started == pytest.approx(3)
    sleeper.set()
    await sleeper.wait(60)
    assert asyncio.get_running_loop().time() - started == pytest.approx(3.5)


def test_json_log_lines_carry_the_object_and_the_exception() -> None:
    record = logging.LogRecord("kopf", logging.WARNING, __file__, 1, "pool %s", ("a",), None)
    record.__dict__["k8s_ref"] = {"name": "a"}
    line = json.loads(logs.JsonFormatter().format(record))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "kopf", "pool a")
    assert line["object"] == {"name": "a"}
    assert line["time"].endswith("Z")
    bug = ZeroDivisionError("a bug")
    failed = logging.LogRecord("a", logging.ERROR, __file__, 1, "failed", (), (type(bug), bug, None))
    assert "a bug" in json.loads(logs.JsonFormatter().format(failed))["exception"]
