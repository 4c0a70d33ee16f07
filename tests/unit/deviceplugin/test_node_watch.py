"""Following one object: resume, list again, silence, pauses. The door is a script."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from neuronspan_deviceplugin import errors, node_watch

Step = list[dict[str, Any]] | Exception | None


def _event(version: str, kind: str = "MODIFIED") -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"resourceVersion": version}}}


class _Door:
    """Each watch plays the next step: events and the end, an error, or silence (None); the last one ends the test."""

    def __init__(self, *steps: Step, lists: list[Exception | str] | None = None) -> None:
        self.calls: list[str] = []
        self._steps = list(steps)
        self._lists = lists or []

    async def listed(self) -> tuple[dict[str, Any], str]:
        self.calls.append("list")
        answer = self._lists.pop(0) if self._lists else "10"
        if isinstance(answer, Exception):
            raise answer
        return _event(answer)["object"], answer

    async def watch(self, resource_version: str) -> AsyncGenerator[dict[str, Any], None]:
        self.calls.append(f"watch {resource_version}")
        if not self._steps:
            raise asyncio.CancelledError
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        for event in step or ():
            yield event
        if step is None:
            await asyncio.Event().wait()


async def _follow(door: _Door) -> tuple[list[str | None], list[float]]:
    """Follow until the script is over; gives the versions seen and the pauses made."""
    seen: list[str | None] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    watch = node_watch.NodeWatch(
        door,  # type: ignore[arg-type]
        lambda each: seen.append(each["metadata"]["resourceVersion"] if each else None),
        silence_seconds=0.02,
        sleep=sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        await watch.run()
    return seen, pauses


async def test_stream_that_ends_is_resumed_from_the_last_event() -> None:
    door = _Door([_event("11"), _event("12")], [_event("13")])
    seen, pauses = await _follow(door)
    assert door.calls == ["list", "watch 10", "watch 12", "watch 13"]
    assert seen == ["10", "11", "12", "13"]
    assert pauses == []


async def test_bookmark_moves_the_version_and_shows_nothing() -> None:
    door = _Door([_event("40", "BOOKMARK")])
    seen, _ = await _follow(door)
    assert door.calls[-1] == "watch 40"
    assert seen == ["10"]


async def test_deleted_object_is_seen_as_none() -> None:
    seen, _ = await _follow(_Door([_event("11", "DELETED"), _event("12", "ADDED")]))
    assert seen == ["10", None, "12"]


async def test_gone_history_is_listed_again_at_once() -> None:
    door = _Door([_event("11")], errors.Gone("410"), lists=["10", "500"])
    seen, pauses = await _follow(door)
    assert door.calls == ["list", "watch 10", "watch 11", "list", "watch 500"]
    assert seen == ["10", "11", "500"]
    assert pauses == []


async def test_silent_stream_is_started_again_where_it_was() -> None:
    door = _Door(None, [_event("11")])
    await _follow(door)
    assert door.calls == ["list", "watch 10", "watch 10", "watch 11"]


async def test_stream_that_ends_at_once_is_not_asked_in_a_loop() -> None:
    _, pauses = await _follow(_Door([], []))
    assert len(pauses) == 2


async def test_pauses_grow_while_the_server_fails_and_begin_anew_after_success() -> None:
    down = errors.ApiError("down")
    door = _Door([_event("11")], down, lists=[down, down, down, "10"])
    _, pauses = await _follow(door)
    assert pauses == [0.5, 1.0, 2.0, 0.5]
