"""A running mirror over the embedded API server, and what it counted."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from kits.embedded import in_memory
from neuronspan_agent import meters, mirror, resources

COUNTED = "neuronspan_cache"


def a_node(name: str, colour: str = "red") -> dict[str, Any]:
    return {"metadata": {"name": name}, "colour": colour}


def node_events(counted: meters.Meters, sample: str) -> dict[tuple[str, ...], float]:
    samples = [each for metric in counted.registry.collect() for each in metric.samples if each.name == sample]
    return {tuple(v for k, v in sorted(each.labels.items()) if k != "resource"): each.value for each in samples}


class Rig:
    """A running mirror over a server."""

    def __init__(self, pace: mirror.Pace | None = None) -> None:
        self.server = in_memory.ApiServer()
        self.changes: list[str] = []
        self.meters = meters.Meters("neuronspan")
        self.listed = 0
        self.unreadable: dict[str, Exception] = {}
        self.cache = mirror.Mirror(
            self.server,
            resources.NODES,
            self._colour_of,
            key_of=resources.name_of,
            on_change=self.changes.append,
            on_listed=self._listed,
            meters=self.meters,
            pace=pace,
        )

    def _colour_of(self, manifest: dict[str, Any]) -> str | None:
        colour = str(manifest["colour"])
        if colour in self.unreadable:
            raise self.unreadable[colour]
        return None if colour == "none" else colour

    def _listed(self) -> None:
        self.listed += 1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.cache.run())
        await self.cache.synced.wait()
        await self.until(lambda: self.server.watchers == 1)
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(2000):
            if condition():
                return
            await asyncio.sleep(0.5)  # virtual
        raise AssertionError(f"never happened; the mirror has {dict(self.cache.items)}")

    async def shows(self, **items: str) -> None:
        await self.until(lambda: dict(self.cache.items) == items)

    def relists(self) -> dict[tuple[str, ...], float]:
        return node_events(self.meters, f"{COUNTED}_relists_total")
