"""Keeps an up-to-date copy of the node's NeuronNode: list, watch from there, resume, list again when history is gone.

Law: never gives up and never spins; a stream that says nothing for longer than bookmarks take counts as broken.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from neuronspan_deviceplugin import errors, kube, neuron_node

SILENCE_SECONDS = 75.0
"""The API server sends a bookmark about once a minute."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0

_log = logging.getLogger(__name__)

Seen = Callable[[neuron_node.Manifest | None], None]
"""Called with every state of the object; None when there is no such object."""


class NodeWatch:
    """Follows one object through a door; ``reached`` is whether the last attempt worked."""

    def __init__(
        self,
        door: kube.Door,
        seen: Seen,
        *,
        silence_seconds: float = SILENCE_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._door = door
        self._seen = seen
        self._silence_seconds = silence_seconds
        self._sleep = sleep
        self._pause = _FIRST_PAUSE
        self.reached = False

    async def run(self) -> None:
        """Follow for ever."""
        version = ""
        while True:
            try:
                version = await self._follow(version or await self._list())
            except errors.Gone:
                _log.info("watch history is gone, listing again")
                version = ""
            except errors.ApiError as error:
                self.reached = False
                _log.warning("cannot follow the NeuronNode", extra={"error": str(error), "pause": self._pause})
                await self._sleep(self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)

    async def _list(self) -> str:
        manifest, version = await self._door.listed()
        self._worked()
        self._seen(manifest)
        return version

    async def _follow(self, version: str) -> str:
        """Apply events until the stream ends; give the version to resume from."""
        events = 0
        async with contextlib.aclosing(self._door.watch(version)) as stream:
            while True:
                try:
                    async with asyncio.timeout(self._silence_seconds):
                        event = await anext(stream)
                except StopAsyncIteration:
                    if not events:  # a server that closes at once must not be asked in a loop
                        await self._sleep(_FIRST_PAUSE)
                    return version
                except TimeoutError:
                    _log.warning("the watch is silent, starting it again", extra={"seconds": self._silence_seconds})
                    return version
                version = event["object"]["metadata"]["resourceVersion"]
                events += 1
                self._worked()
                if event["type"] in {"ADDED", "MODIFIED"}:
                    self._seen(event["object"])
                elif event["type"] == "DELETED":
                    self._seen(None)

    def _worked(self) -> None:
        self.reached = True
        self._pause = _FIRST_PAUSE
