"""Parts of a process run together and end together."""

import asyncio

import pytest

from neuronspan_operator import errors, tasks


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
    async with tasks.Parts(stop) as running:
        running.start("first", Part("first", ends).run())
        running.start("second", Part("second", ends).run())
        await running.wait()
    assert ends == ["second", "first"]


async def test_parts_all_end_when_one_fails() -> None:
    ends = list[str]()
    async with tasks.Parts(asyncio.Event()) as running:
        running.start("good", Part("good", ends).run())
        running.start("broken", failing(after=3))
        with pytest.raises(errors.PartEnded, match="broken ended: ZeroDivisionError") as trouble:
            await running.wait()
    assert ends == ["good"]
    assert isinstance(trouble.value.__cause__, ZeroDivisionError)


async def test_parts_that_end_quietly_are_a_trouble_too() -> None:
    async with tasks.Parts(asyncio.Event()) as running:
        running.start("short", asyncio.sleep(1))
        with pytest.raises(errors.PartEnded, match="short ended"):
            await running.wait()


async def test_finish_tells_whether_the_step_was_done() -> None:
    stop = asyncio.Event()
    async with tasks.Parts(stop) as running:
        assert await running.finish(asyncio.sleep(1))
        asyncio.get_running_loop().call_later(1, stop.set)
        assert not await running.finish(asyncio.sleep(100))


async def test_finish_raises_the_trouble_of_the_step_or_of_a_part() -> None:
    async with tasks.Parts(asyncio.Event()) as running:
        with pytest.raises(ZeroDivisionError):
            await running.finish(failing(after=1))
        running.start("broken", failing(after=1))
        with pytest.raises(errors.PartEnded):
            await running.finish(asyncio.sleep(100))
