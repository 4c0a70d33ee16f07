"""Whose turn it is to be written: the most urgent of what is due, within a rate.

Law: in any span of T seconds at most ``burst + per_second * T`` writes begin; at most ``parallel`` are under way, and
never two for one key. What is due is written in the end, in the order of its urgency and then of its coming. A write
that ends in an exception is logged, and concerns nothing else.
"""

import asyncio
import dataclasses
import enum
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from neuronspan_agent import signals

_log = logging.getLogger(__name__)

K = TypeVar("K")

_ALMOST_ONE = 1.0 - 1e-6
"""Shares of a write that come by the clock do not add up to exactly one."""


class Urgency(enum.IntEnum):
    """What is written first when not all can be."""

    NEW = 0  # nobody has been told yet
    REWORDED = 1  # the same again in other words
    RENEWED = 2  # the same again


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How much an outbox may ask of the API server."""

    per_second: float
    burst: int
    parallel: int


@dataclasses.dataclass(eq=False, slots=True)
class _Entry(Generic[K]):
    key: K
    urgency: Urgency
    due: float
    order: int


_Heap = list[tuple[float, int, _Entry[K]]]


class Outbox(Generic[K]):
    """Keys that are to be written; run ``run`` as a task. ``clock`` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float], limits: Limits, write: Callable[[K], Awaitable[None]]) -> None:
        self._clock = clock
        self._limits = limits
        self._write = write
        self._entries: dict[K, _Entry[K]] = {}
        self._later: _Heap[K] = []  # by due; both may hold entries that are no longer in _entries
        self._ready: _Heap[K] = []  # by urgency
        self._order = itertools.count()
        self._under_way: set[K] = set()
        self._changed = signals.Signal()
        self._tokens = float(limits.burst)
        self._counted_at = clock()

    def put(self, key: K, urgency: Urgency, due: float = 0.0) -> None:
        """Write this key at its time; an entry that is there with the same urgency and time keeps its turn."""
        known = self._entries.get(key)
        if known is not None and (known.urgency, known.due) == (urgency, due):
            return
        entry = _Entry(key, urgency, due, next(self._order))
        self._entries[key] = entry
        if key not in self._under_way:
            self._queue(entry)

    def __contains__(self, key: K) -> bool:
        return key in self._entries

    def drop(self, key: K) -> None:
        """Write this key no more."""
        self._entries.pop(key, None)

    def keep_only(self, keys: Iterable[K]) -> None:
        """Write none but these."""
        for key in self._entries.keys() - set(keys):
            del self._entries[key]

    @property
    def overdue(self) -> int:
        """How many are due and have not had their turn."""
        moment = self._clock()
        return sum(entry.due <= moment for entry in self._entries.values())

    async def run(self) -> None:
        """Write for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                seen = self._changed.version
                self._begin(group)
                await self._changed.beyond_within(seen, self._pause())

    async def flush(self) -> None:
        """Write what is due and within the rate now."""
        async with asyncio.TaskGroup() as group:
            seen = self._changed.version
            self._begin(group)
            while self._under_way:
                seen = await self._changed.beyond(seen)
                self._begin(group)

    # --- inside --------------------------------------------------------------------------------------------------

    def _queue(self, entry: _Entry[K]) -> None:
        heapq.heappush(self._later, (entry.due, entry.order, entry))
        self._changed.raised()

    def _begin(self, group: asyncio.TaskGroup) -> None:
        self._count_tokens()
        while len(self._under_way) < self._limits.parallel and self._tokens >= _ALMOST_ONE and self._next_ready():
            entry = heapq.heappop(self._ready)[-1]
            del self._entries[entry.key]
            self._under_way.add(entry.key)
            self._tokens -= 1
            group.create_task(self._send(entry.key))

    async def _send(self, key: K) -> None:
        try:
            await self._write(key)
        except Exception:  # noqa: BLE001 - a word that cannot be said must not end the process
            _log.exception("not told", extra={"key": str(key)})
        finally:
            self._under_way.discard(key)
            if key in self._entries:  # wanted again meanwhile
                self._queue(self._entries[key])
            self._changed.raised()

    def _count_tokens(self) -> None:
        moment = self._clock()
        earned = (moment - self._counted_at) * self._limits.per_second
        self._tokens = min(float(self._limits.burst), self._tokens + earned)
        self._counted_at = moment

    def _next_ready(self) -> bool:
        """Whether the top of ``_ready`` is to be written now."""
        moment = self._clock()
        while (entry := self._first(self._later)) is not None and entry.due <= moment:
            heapq.heappop(self._later)
            heapq.heappush(self._ready, (entry.urgency, entry.order, entry))
        return self._first(self._ready) is not None

    def _first(self, heap: "_Heap[K]") -> _Entry[K] | None:
        while heap:
            entry = heap[0][-1]
            if self._entries.get(entry.key) is entry:
                return entry
            heapq.heappop(heap)
        return None

    def _pause(self) -> float | None:
        """Seconds until something can begin that cannot yet; None when only a change can bring it about."""
        if len(self._under_way) >= self._limits.parallel:
            return None
        if self._next_ready():
            return max(0.0, (1.0 - self._tokens) / self._limits.per_second)
        entry = self._first(self._later)
        return None if entry is None else entry.due - self._clock()
