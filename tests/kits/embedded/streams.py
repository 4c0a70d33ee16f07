"""Watch streams of the embedded API server that a test can hold up, end, or let miss something."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from neuronspan_agent import errors
from neuronspan_embedded.api_server import store, verbs, watching
from neuronspan_embedded.api_server.rules import refusals

Event = dict[str, Any]
_Told = Event | errors.KubernetesError | None
"""An event, what breaks the stream, or None for its end."""


@dataclasses.dataclass(eq=False)
class _Stream:
    resource: str
    since: int  # what happened before it was opened is history, which nothing keeps from it
    events: "asyncio.Queue[_Told]" = dataclasses.field(default_factory=asyncio.Queue)


@dataclasses.dataclass(eq=False)
class _Silence:
    """No watch of these resources (of any without one) gets what happened between these versions."""

    resources: frozenset[str]
    after: int
    until: int | None = None

    def covers(self, stream: _Stream, version: int) -> bool:
        within = max(self.after, stream.since) < version and (self.until is None or version <= self.until)
        return within and (not self.resources or stream.resource in self.resources)

    def goes_on(self, resource: str) -> bool:
        return self.until is None and (not self.resources or resource in self.resources)


class Streams:
    """The open streams of a store."""

    def __init__(self, known: store.Store) -> None:
        self._store = known
        self._open: list[_Stream] = []
        self._silences: list[_Silence] = []
        self._missed: set[int] = set()
        self._late: list[tuple[_Stream, Event]] = []

    def __len__(self) -> int:
        return len(self._open)

    def mute(self, resources: Iterable[str]) -> None:
        """Let streams of these resources, of all when none is named, get nothing from now on."""
        self._silences.append(_Silence(frozenset(resources), self._store.version))

    def unmute(self) -> None:
        """Let streams get what happens from now on."""
        for each in self._silences:
            each.until = self._store.version if each.until is None else each.until

    def catch_up(self) -> None:
        """Let streams get late what was kept from them, and then what happens."""
        self._silences.clear()
        for stream, event in self._late:
            stream.events.put_nowait(event)
        self._late.clear()

    def miss(self, version: int) -> None:
        """Let no stream ever tell of this version."""
        self._missed.add(version)

    def rewound(self) -> None:
        """Take note that versions begin again where the store is now."""
        now = self._store.version
        self._missed = {each for each in self._missed if each <= now}
        for stream in self._open:
            stream.since = min(stream.since, now)
        for each in self._silences:
            each.after, each.until = min(each.after, now), None if each.until is None else min(each.until, now)

    def tell(self, told: _Told, resource: str = "") -> None:
        """Give the streams of a resource, all without one, an event, a break or their end."""
        for each in self._open:
            if not resource or each.resource == resource:
                each.events.put_nowait(told)

    async def follow(
        self, target: verbs.Target, after: str, silence_seconds: float, seconds: int, call: str
    ) -> AsyncGenerator[Event, None]:
        """Yield the events of a watch as ``kube.Client.watch`` does, copied as the wire does; raises as it does."""
        stream = _Stream(target.kind.resource, self._store.version)
        wanted = watching.Wanted(target, after=after, seconds=float(seconds), bookmarks=True)
        pump = asyncio.create_task(self._pump(stream, watching.events(self._store, wanted), call))
        self._open.append(stream)
        try:
            while True:
                try:
                    async with asyncio.timeout(silence_seconds):
                        told = await stream.events.get()
                except TimeoutError:
                    raise errors.Unavailable(f"{call}: nothing came for too long") from None
                if told is None:
                    return
                if isinstance(told, errors.KubernetesError):
                    raise told
                yield json.loads(json.dumps(told))
        finally:
            self._open.remove(stream)
            pump.cancel()

    async def _pump(self, stream: _Stream, events: AsyncGenerator[Event, None], call: str) -> None:
        try:
            async for event in events:
                self._route(stream, event)
            stream.events.put_nowait(None)
        except refusals.Refusal as refusal:
            stream.events.put_nowait(errors.of_status(call, refusal.status))
        finally:
            await events.aclose()

    def _route(self, stream: _Stream, event: Event) -> None:
        version = int(event["object"]["metadata"]["resourceVersion"])
        if event["type"] == "BOOKMARK":
            if not any(each.goes_on(stream.resource) for each in self._silences):
                stream.events.put_nowait(event)
        elif any(each.covers(stream, version) for each in self._silences):
            self._late.append((stream, event))
        elif version not in self._missed:
            stream.events.put_nowait(event)
