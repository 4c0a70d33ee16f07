"""Lets a loop sleep until something changed or a time has come, and then collect what else changes at once."""

import asyncio


class Wakeup:
    """One sleeper, any number of callers of ``set``; ``debounce_seconds`` is how long changes are collected."""

    def __init__(self, debounce_seconds: float) -> None:
        self._debounce_seconds = debounce_seconds
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the sleeper, now or when it goes to sleep next."""
        self._event.set()

    async def wait(self, seconds: float | None = None) -> None:
        """Sleep until ``set``, or for this long; what was set before counts too."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._debounce_seconds)
        self._event.clear()
