"""A counter that many tasks can wait on: "something changed since I looked".

Law: raising never blocks and never fails, so decisions can raise it in the middle of synchronous code; a change that
happens between a look and a wait is never lost.
"""

import asyncio


class Signal:
    """A version number; ``raised`` makes it one higher and wakes everybody who waits for more than they saw."""

    def __init__(self) -> None:
        self.version = 0
        self._next = asyncio.Event()

    def raised(self) -> None:
        """Wake all who wait."""
        self.version += 1
        self._next.set()
        self._next = asyncio.Event()

    async def beyond(self, version: int) -> int:
        """Wait until the version is higher than ``version`` and give it; at once when it already is."""
        while self.version <= version:
            await self._next.wait()
        return self.version

    async def beyond_within(self, version: int, seconds: float) -> bool:
        """Like ``beyond``, but at most ``seconds`` long; False when nothing changed."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self.beyond(version)
        except TimeoutError:
            return False
        return True
