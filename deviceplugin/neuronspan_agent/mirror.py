"""A mirror of one kind of objects, kept by list and watch.

Law: ``items`` is what ``read`` made of a listed state plus the events after it, and never goes back to an older state
of the same history. A watch goes on from the last version seen, also after the server ended it without a word; when
that version is too old, or of another history, everything is listed again and what is gone is dropped (kopf.index keeps
such ghosts, and ghosts leak cores). However fast the server refuses, lists are paced.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from neuronspan import errors as domain_errors
from neuronspan_agent import backoff, calls, errors, resources
from neuronspan_agent import meters as agent_meters

_log = logging.getLogger(__name__)

T = TypeVar("T")

_FRUITLESS_STREAMS = 3
"""Streams in a row without one event before everything is listed again: the version itself may be what is wrong."""
_RETRY = backoff.Delays(first=0.2, longest=30.0)
_PERIODIC = "periodic"
_RESTORED = "restored"


class Reader(calls.Lists, calls.Watches, Protocol):
    """The calls that a mirror needs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How often the mirror talks to the server."""

    page: int = 500
    """Objects per list call: kubectl's own chunk size, about 2 MB of pods."""
    silence_seconds: float = 75.0
    """A stream that brings nothing for this long is dead: the server sends a bookmark about every 60 s."""
    stream_seconds: int = 290
    """The server ends a stream after this time; below the five minutes that proxies like to cut at."""
    relist_seconds: float = 600.0
    """Everything is listed again this often, as a second net below the watch."""
    resumes: bool = True
    """Whether a stream goes on where the one before it ended, if the server has not gone back behind that. A mirror of
    few objects lists before every stream instead: that costs as little, and leaves no question."""


class Mirror(Generic[T]):
    """The objects of one resource as ``read`` makes them, by key; run ``run`` as a task.

    ``read`` returns None for objects that are of no interest. ``on_change`` gets the key of each object whose value
    changed, came or went; ``on_listed`` is called after every complete list, ``on_deleted`` when a deletion was
    watched, with the key of any object, kept or not. All must return at once.
    """

    def __init__(
        self,
        client: Reader,
        resource: resources.Resource,
        read: Callable[[dict[str, Any]], T | None],
        *,
        key_of: Callable[[Mapping[str, Any]], str],
        on_change: Callable[[str], None],
        meters: agent_meters.Meters,
        on_listed: Callable[[], None] = lambda: None,
        on_deleted: Callable[[str], None] = lambda _key: None,
        selector: resources.Selector = resources.EVERYTHING,
        pace: Pace | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self.in_touch = False  # whether the last thing heard was an answer: a list, or an event
        self._client = client
        self._resource = resource
        self._facts = {"resource": str(resource)}
        self._read = read
        self._key_of = key_of
        self._on_change = on_change
        self._on_listed = on_listed
        self._on_deleted = on_deleted
        self._meters = meters.cache(str(resource))
        self._selector = selector
        self._pace = pace or Pace()
        self._items: dict[str, T] = {}
        self._version = ""
        self._advanced = asyncio.Event()
        self._fruitful = False

    @property
    def items(self) -> Mapping[str, T]:
        """The objects now; copy it before awaiting anything."""
        return self._items

    @property
    def is_synced(self) -> bool:
        """Whether everything was listed at least once."""
        return self.synced.is_set()

    async def reached(self, version: str) -> None:
        """Wait until the mirror is not older than this resourceVersion of one of its objects."""
        while resources.is_older(self._version, version):
            await self._advanced.wait()

    async def run(self) -> None:
        """Mirror for ever; refusals are logged and tried again, less and less often until an event comes."""
        failures = 0
        while True:
            self._fruitful = False
            reason = await self._list_and_follow()
            failures = 0 if self._fruitful else failures
            if reason != _PERIODIC:
                failures += 1
                await asyncio.sleep(_RETRY.after(failures))
            self._meters.relisted(reason)

    async def _list_and_follow(self) -> str:
        """Mirror until everything is to be listed again; returns the reason."""
        try:
            await self._list()
            return await self._follow()
        except errors.Gone:
            return "gone"
        except errors.KubernetesError as error:
            self.in_touch = False
            _log.warning("not mirrored, trying again", extra=self._facts | {"error": str(error)})
            return "error"

    # --- list ----------------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        seen: set[str] = set()
        continuation = ""
        while True:
            page = await self._client.list_page(
                self._resource, self._selector, limit=self._pace.page, continuation=continuation
            )
            self.in_touch = True
            for manifest in page.get("items") or ():
                seen.add(self._key_of(manifest))
                self._put(manifest)
            version = page["metadata"]["resourceVersion"]
            continuation = page["metadata"].get("continue") or ""
            if not continuation:
                break
        for ghost in self._items.keys() - seen:
            self._drop(ghost)
        self._advance(version)
        self.synced.set()
        self._on_listed()

    # --- watch ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> str:
        """Watch stream after stream until everything is to be listed again; returns the reason. Raises Gone."""
        clock = asyncio.get_running_loop().time
        due = clock() + self._pace.relist_seconds
        fruitless = 0
        while (left := due - clock()) > 0:
            outcome, events = await self._stream(left)
            if not self._pace.resumes:
                return outcome
            if outcome == _RESTORED or await self._is_restored():
                return _RESTORED
            fruitless = 0 if events else fruitless + 1
            if fruitless >= _FRUITLESS_STREAMS:
                return "silent"
            if fruitless:
                await asyncio.sleep(_RETRY.after(fruitless))
        return _PERIODIC

    async def _stream(self, seconds: float) -> tuple[str, int]:
        """Apply the events of one stream; returns how it ended and how many there were."""
        count = 0
        outcome = "ended"
        events = self._client.watch(
            self._resource,
            self._selector,
            resource_version=self._version,
            silence_seconds=self._pace.silence_seconds,
            stream_seconds=min(self._pace.stream_seconds, int(seconds) + 1),
        )
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if resources.is_older(event["object"]["metadata"]["resourceVersion"], self._version):
                        outcome = _RESTORED  # versions only grow: this server tells another history
                        break
                    self._apply(event)
                    count += 1
        except errors.Unavailable as error:
            outcome = "broken"
            self.in_touch = False
            _log.info("the watch broke", extra=self._facts | {"version": self._version, "error": str(error)})
        self._meters.stream_ended(outcome)
        return outcome, count

    async def _is_restored(self) -> bool:
        """Whether the server's version is older than ours; it would keep silent until its own has grown past ours."""
        page = await self._client.list_page(self._resource, self._selector, limit=1, continuation="")
        return resources.is_older(page["metadata"]["resourceVersion"], self._version)

    def _apply(self, event: Mapping[str, Any]) -> None:
        manifest = event["object"]
        self.in_touch = self._fruitful = True
        self._meters.event()
        if event["type"] in {"ADDED", "MODIFIED"}:
            self._put(manifest)
        elif event["type"] == "DELETED":
            self._on_deleted(self._key_of(manifest))
            self._drop(self._key_of(manifest))
        self._advance(manifest["metadata"]["resourceVersion"])  # a BOOKMARK carries nothing else

    def _advance(self, version: str) -> None:
        self._version = version
        self._advanced.set()
        self._advanced = asyncio.Event()

    # --- items ---------------------------------------------------------------------------------------------------

    def _put(self, manifest: dict[str, Any]) -> None:
        key = self._key_of(manifest)
        try:
            value = self._read(manifest)
        except (domain_errors.NeuronspanError, LookupError, TypeError, ValueError, AttributeError):
            # whatever an object says, it must not keep us from seeing all the others
            _log.exception(
                "an object cannot be read",
                extra={"resource": str(self._resource), "object": resources.full_name(manifest)},
            )
            self._meters.unreadable()
            value = None
        if value is None:
            self._drop(key)
        elif self._items.get(key) != value:
            self._items[key] = value
            self._changed(key)

    def _drop(self, key: str) -> None:
        if self._items.pop(key, None) is not None:
            self._changed(key)

    def _changed(self, key: str) -> None:
        self._meters.sized(len(self._items))
        self._on_change(key)
