"""The long-running parts of a process: they run together and end together.

Law: parts never end by themselves; if one does, the others are ended too and its error is raised.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Self

from neuronspan_operator import errors

_log = logging.getLogger(__name__)


class Parts:
    """A context: leaving it cancels the parts, the last one first. ``stop`` ends every wait."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._tasks:
            await _cancel(self._tasks.pop())

    def start(self, name: str, part: Coroutine[Any, Any, None]) -> None:
        """Run a part beside the others."""
        self._tasks.append(asyncio.create_task(part, name=name))

    async def finish(self, step: Coroutine[Any, Any, Any]) -> bool:
        """Do this step while the parts run; returns whether it was done before ``stop``. Raises PartEnded."""
        task = asyncio.create_task(step)
        try:
            await self._first_end(task)
            if task.done():
                task.result()  # raises the step's own error, if there is one
            return task.done()
        finally:
            await _cancel(task)

    async def wait(self) -> None:
        """Wait until ``stop``; raises PartEnded when a part ends before."""
        await self._first_end()

    async def _first_end(self, *steps: "asyncio.Task[Any]") -> None:
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({stopping, *steps, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(stopping)
        if self._stop.is_set():
            return
        for task in self._tasks:
            if task.done() and not task.cancelled():
                raise errors.PartEnded(f"{task.get_name()} ended: {task.exception()!r}") from task.exception()


async def _cancel(task: "asyncio.Task[Any]") -> None:
    """End a task; an error that nothing else has seen is logged."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("a part ended", extra={"part": task.get_name(), "error": repr(error)})
