"""A mirror of one kind of objects, kept by list and watch.

Law: ``items`` is what ``read`` made of a listed state plus the events after it. A watch goes on from the last
resourceVersion seen, also after the server ended it without a word; when that version is too old, everything is listed
again and what is no longer there is dropped (kopf.index keeps such ghosts, and ghosts leak cores).
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from neuronspan import errors as domain_errors
from neuronspan_operator import backoff, errors, expectations, metrics, resources

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FRUITLESS_STREAMS = 3
"""Streams in a row without one event before everything is listed again: the version itself may be the trouble."""
_RETRY = backoff.Delays(first=0.2, longest=30.0)


class Reader(Protocol):
    """The two calls the cache needs; ``kube.Client`` has them."""

    async def list_page(
        self, resource: resources.Resource, selector: resources.Selector, *, limit: int, continuation: str
    ) -> dict[str, Any]:
        """Read one page."""

    def watch(
        self,
        resource: resources.Resource,
        selector: resources.Selector,
        *,
        resource_version: str,
        silence_seconds: float,
        stream_seconds: int,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield events until the stream ends."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """How often the cache talks to the server."""

    page: int = 500
    """Objects per list call: kubectl's own chunk size, about 2 MB of pods."""
    silence_seconds: float = 75.0
    """A stream that brings nothing for this long is dead: the server sends a bookmark about every 60 s."""
    stream_seconds: int = 290
    """The server ends a stream after this time; below the five minutes that proxies like to cut at."""
    relist_seconds: float = 600.0
    """Everything is listed again this often, as a second net below the watch."""


def uid_of(manifest: Mapping[str, Any]) -> str:
    """Key of objects whose name may be used again by another one at once."""
    return str(manifest["metadata"]["uid"])


def name_of(manifest: Mapping[str, Any]) -> str:
    """Key of cluster-scoped objects."""
    return str(manifest["metadata"]["name"])


class WatchCache(Generic[T]):
    """The objects of one resource as ``read`` makes them, by key; run ``run`` as a task.

    ``read`` gives None for objects that are of no interest. ``on_change`` gets the key of each object whose value
    changed, came or went; it must return at once.
    """

    def __init__(
        self,
        client: Reader,
        resource: resources.Resource,
        read: Callable[[dict[str, Any]], T | None],
        *,
        key_of: Callable[[Mapping[str, Any]], str],
        on_change: Callable[[str], None],
        measures: metrics.Metrics,
        selector: resources.Selector = resources.EVERYTHING,
        pace: Pace | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self._client = client
        self._resource = resource
        self._read = read
        self._key_of = key_of
        self._on_change = on_change
        self._measures = measures.cache(str(resource))
        self._selector = selector
        self._pace = pace or Pace()
        self._items: dict[str, T] = {}
        self._version = ""
        self._advanced = asyncio.Event()

    @property
    def items(self) -> Mapping[str, T]:
        """The objects now; copy it before awaiting anything."""
        return self._items

    @property
    def is_synced(self) -> bool:
        """Whether everything was listed at least once."""
        return self.synced.is_set()

    async def reached(self, version: str) -> None:
        """Wait until the cache is not older than this resourceVersion of one of its objects."""
        while expectations.is_older(self._version, version, ""):
            await self._advanced.wait()

    async def run(self) -> None:
        """Mirror for ever; troubles are logged and tried again."""
        failures = 0
        while True:
            try:
                await self._list()
                failures = 0
                reason = await self._follow()
            except errors.Gone:
                reason = "gone"
            except errors.KubernetesError as error:
                reason = "error"
                failures += 1
                logger.warning("listing %s again in %.1f s: %s", self._resource, _RETRY.after(failures), error)
                await asyncio.sleep(_RETRY.after(failures))
            self._measures.relisted(reason)

    # --- list ----------------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        seen: set[str] = set()
        continuation = ""
        while True:
            page = await self._client.list_page(
                self._resource, self._selector, limit=self._pace.page, continuation=continuation
            )
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

    # --- watch ---------------------------------------------------------------------------------------------------

    async def _follow(self) -> str:
        """Watch stream after stream until everything is to be listed again; gives the reason. Raises Gone."""
        clock = asyncio.get_running_loop().time
        due = clock() + self._pace.relist_seconds
        fruitless = 0
        while (left := due - clock()) > 0:
            fruitless = 0 if await self._stream(left) else fruitless + 1
            if fruitless >= _FRUITLESS_STREAMS:
                return "silent"
            if fruitless:
                await asyncio.sleep(_RETRY.after(fruitless))
        return "periodic"

    async def _stream(self, seconds: float) -> bool:
        """Apply the events of one stream; tells whether there was any."""
        fruitful = False
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
                    self._apply(event)
                    fruitful = True
        except errors.Unavailable as error:
            outcome = "broken"
            logger.info("watching %s again from version %s: %s", self._resource, self._version, error)
        self._measures.stream_ended(outcome)
        return fruitful

    def _apply(self, event: Mapping[str, Any]) -> None:
        manifest = event["object"]
        self._measures.event()
        if event["type"] in {"ADDED", "MODIFIED"}:
            self._put(manifest)
        elif event["type"] == "DELETED":
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
            logger.exception("ignoring %s %s: it cannot be read", self._resource, key)
            self._measures.unreadable()
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
        self._measures.sized(len(self._items))
        self._on_change(key)
