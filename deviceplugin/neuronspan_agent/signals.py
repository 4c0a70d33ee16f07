"""A counter that many tasks can wait on: "something changed since I looked".

Law: raising never blocks and never fails, so decisions can raise it in the middle of synchronous code; a change that
happens between a look and a wait is never lost.
"""

import asyncio


class Signal:
    """A version number; ``raised`` makes it one higher and wakes everyone who waits for more than they saw."""

    def __init__(self) -> None:
        self.version = 0
        self._next = asyncio.Event()

    def raised(self) -> None:
        """Wake all who wait."""
        self.version += 1
        self._next.set()
        self._next = asyncio.Event()

    async def beyond(self, version: int) -> int:
        """Wait until the version is higher than ``version`` and return it; at once when it already is."""
        while self.version <= version:
            await self._next.wait()
        return self.version

    async def beyond_within(self, version: int, seconds: float | None, *, collect_seconds: float = 0.0) -> bool:
        """Like ``beyond``, but at most so long (None: for ever); False when nothing changed.

        After a change, what else changes within ``collect_seconds`` is waited for, to be dealt with at once.
        """
        try:
            async with asyncio.timeout(None if seconds is None else max(seconds, 0)):
                await self.beyond(version)
        except TimeoutError:
            return False
        await asyncio.sleep(collect_seconds)
        return True
