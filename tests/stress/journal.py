"""What a process of the stress run wrote down while it lived, and what a reader may conclude from it.

Law: a claim is written after it was got and a return before it is given, and a process that was killed owned its cores
at least until its last line; so an interval here is never longer than the ownership was, and two that overlap in time
and in cores are a proof that a core was owned twice.
"""

import bisect
import collections
import dataclasses
import itertools
import json
import os
import pathlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self


class Journal:
    """Appends lines; each is one write, so a killed process leaves whole lines and at most one broken one."""

    def __init__(self, path: pathlib.Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)

    def write(self, event: str, **fields: Any) -> None:
        """Append an event with the time of all processes of the machine."""
        line = json.dumps({"event": event, "at": time.monotonic_ns()} | fields)
        os.write(self._descriptor, f"{line}\n".encode())


@dataclasses.dataclass(frozen=True)
class Interval:
    """One process owned these cores, at least from begin to end (nanoseconds of the monotonic clock)."""

    pid: int
    first: int
    count: int
    begin: int
    end: int

    def holds(self, core: int) -> bool:
        """Tell whether a core is among them."""
        return self.first <= core < self.first + self.count

    def covers(self, begin: int, end: int) -> bool:
        """Tell whether the cores were owned all of this time."""
        return self.begin <= begin and end <= self.end

    def conflicts(self, other: Self) -> bool:
        """Tell whether both cannot be true at once."""
        same_time = max(self.begin, other.begin) <= min(self.end, other.end)
        same_core = max(self.first, other.first) < min(self.first + self.count, other.first + other.count)
        return same_time and same_core


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """Who had the lock of which core, according to the kernel, at some moment from begin to end."""

    begin: int
    end: int
    holders: Mapping[int, int]
    """Process id by core."""


def lines_of(path: pathlib.Path) -> list[dict[str, Any]]:
    """Read one journal; a last line that a kill broke is left out."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def intervals_of(lines: Sequence[Mapping[str, Any]]) -> Iterator[Interval]:
    """Yield what one process owned."""
    if not lines:
        return
    pid, owned = lines[0]["pid"], None
    for line in lines:
        if line["event"] == "owns":
            owned = line
        elif line["event"] == "gives" and owned is not None:
            yield Interval(pid, owned["first"], owned["count"], owned["at"], line["at"])
            owned = None
    if owned is not None:
        yield Interval(pid, owned["first"], owned["count"], owned["at"], max(line["at"] for line in lines))


def conflicts(intervals: Iterable[Interval]) -> list[tuple[Interval, Interval]]:
    """Return all pairs that say that a core was owned twice."""
    found = []
    ordered = sorted(intervals, key=lambda interval: interval.begin)
    for number, one in enumerate(ordered):
        later = itertools.takewhile(lambda other: other.begin <= one.end, ordered[number + 1 :])  # noqa: B023 - used at once
        found += [(one, other) for other in later if one.conflicts(other)]
    return found


def contradictions(intervals: Iterable[Interval], snapshots: Iterable[Snapshot]) -> tuple[int, list[str]]:
    """Compare what processes said with what the kernel said: (statements compared, those that differ)."""
    compared, found = 0, []
    ordered = sorted(intervals, key=lambda interval: interval.begin)
    begins, longest = [interval.begin for interval in ordered], max((i.end - i.begin for i in ordered), default=0)
    for snapshot in snapshots:
        low, high = _range(begins, snapshot.begin - longest, snapshot.begin)
        for interval in ordered[low:high]:
            if not interval.covers(snapshot.begin, snapshot.end):
                continue
            for core in range(interval.first, interval.first + interval.count):
                compared += 1
                if (holder := snapshot.holders.get(core)) != interval.pid:
                    found.append(f"process {interval.pid} owned core {core}, the kernel says {holder}: {interval}")
    return compared, found


def _range(begins: list[int], low: int, high: int) -> tuple[int, int]:
    return bisect.bisect_left(begins, low), bisect.bisect_right(begins, high)


def counted(lines: Iterable[Mapping[str, Any]]) -> collections.Counter[str]:
    """Count what was done: events, and operations by name."""
    return collections.Counter(line.get("operation", line["event"]) for line in lines)
