"""Watch streams: what was there if asked, what happened since a version, and then what happens, until the end.

Law: an event is told once, in the order of versions, as the watch's selectors see it: an object that is not selected
any more is DELETED for that watch.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from neuronspan_embedded.api_server import store, verbs
from neuronspan_embedded.api_server.rules import refusals, selectors

Event = dict[str, Any]

_BOOKMARK_SECONDS = 10.0
_INITIAL_END = "k8s.io/initial-events-end"


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What a client wants to be told of."""

    target: verbs.Target
    selected: selectors.Test = selectors.everything
    after: str = ""  # the version after which; "" and "0" begin with what is there
    seconds: float = 1800.0
    bookmarks: bool = False
    initial: bool = False  # whether it asked to be told what is there, and where that ends


async def events(known: store.Store, wanted: Wanted) -> AsyncGenerator[Event, None]:
    """Yield events until the time is over; raises Refusal when the version is too old."""
    told, first = _begin(known, wanted)
    changed = asyncio.Event()
    known.listeners.add(changed.set)
    loop = asyncio.get_running_loop()
    end, next_bookmark = loop.time() + wanted.seconds, loop.time() + _BOOKMARK_SECONDS
    try:
        for event in first:
            yield event
        while True:
            changed.clear()
            for change in tuple(known.changes(wanted.target.kind.resource, told)):
                told = change.version
                noticed = seen(change, wanted)
                if noticed is not None:
                    yield noticed
            told = max(told, known.version) if not changed.is_set() else told
            now = loop.time()
            if now >= end:
                return
            if wanted.bookmarks and now >= next_bookmark:
                next_bookmark = now + _BOOKMARK_SECONDS
                yield bookmark(wanted, told)
            await _happens(changed, min(end, next_bookmark) - now if wanted.bookmarks else end - now)
    finally:
        known.listeners.discard(changed.set)


def seen(change: store.Change, wanted: Wanted) -> Event | None:
    """Return a change as a watch sees it, None when it is none of its business."""
    if wanted.target.namespace and change.namespace != wanted.target.namespace:
        return None
    was = change.before is not None and _is_wanted(change.before, wanted)
    if change.after is not None and _is_wanted(change.after, wanted):
        return {"type": "MODIFIED" if was else "ADDED", "object": change.after}
    if not was:
        return None
    last = change.last if change.after is None else _aged(change.before or {}, change.version)
    return {"type": "DELETED", "object": last}


def bookmark(wanted: Wanted, version: int, annotations: Mapping[str, str] | None = None) -> Event:
    """Return the event that tells how far a watch is."""
    kind = wanted.target.kind
    told = {"resourceVersion": str(version), **({"annotations": dict(annotations)} if annotations else {})}
    return {"type": "BOOKMARK", "object": {"kind": kind.name, "apiVersion": kind.api_version, "metadata": told}}


def _begin(known: store.Store, wanted: Wanted) -> tuple[int, list[Event]]:
    """Return from where on changes are told, and what is told before them."""
    if wanted.after.strip("0") and not wanted.initial:
        after = _version(wanted.after)
        known.changes(wanted.target.kind.resource, after)
        return after, []
    there = known.all(wanted.target.kind.resource, wanted.target.namespace)
    first: list[Event] = [{"type": "ADDED", "object": each} for each in there if _is_wanted(each, wanted)]
    if wanted.initial:
        first.append(bookmark(wanted, known.version, {_INITIAL_END: "true"}))
    return known.version, first


def _version(text: str) -> int:
    if not text.isdecimal():
        raise refusals.bad_request(f'invalid resource version "{text}": give the one of a list or an event')
    return int(text)


def _is_wanted(manifest: store.Manifest, wanted: Wanted) -> bool:
    name = wanted.target.name
    return (not name or manifest["metadata"]["name"] == name) and wanted.selected(manifest)


def _aged(manifest: Mapping[str, Any], version: int) -> Event:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(version)}}


async def _happens(changed: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await changed.wait()
