"""Depth-first search for a place for each of a pod's containers.

Law: a place is one run of free cores inside the node. What is found depends on the hardware, on which cores are taken,
on the requests and on the packing: not on the order or the number of the taken spans, on the node's name, or on what
was asked before. So it may be remembered by these four, and stays true until one of them changes.
"""

import itertools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from neuronspan import instance_types, placement, spans
from neuronspan.fitting import windows

Spans = tuple[spans.CoreSpan, ...]
_Run = tuple[int, int]  # first core and number of cores

SEARCH_LIMIT: Final = 2_000
"""Positions tried for the containers of one pod together: bounds the time a hostile pod can cost."""

# Smaller is better; ties go to the lowest core.
_PREFERENCES: Mapping[placement.Packing, Callable[[_Run], tuple[int, ...]]] = types.MappingProxyType(
    {
        placement.Packing.BEST_FIT: lambda run: (run[1], run[0]),
        placement.Packing.FIRST_FIT: lambda run: run,
        placement.Packing.WORST_FIT: lambda run: (-run[1], run[0]),
    }
)


class Search:
    """Looks for a place for each request, hardest first; what led nowhere is not tried twice."""

    def __init__(
        self, hardware: instance_types.Hardware, packing: placement.Packing, requests: Sequence[placement.Request]
    ) -> None:
        self.hardware = hardware
        self.order = sorted(range(len(requests)), key=lambda index: _hardness(requests[index]))
        self.requests = [requests[index] for index in self.order]
        self.tried = 0
        self._better = _PREFERENCES[packing]
        self._starts = [windows.starts(hardware, request) for request in self.requests]
        left = itertools.accumulate(each.count for each in reversed(self.requests))
        self._needed = [*left][::-1]
        self._anywhere = [each.first is None and not each.is_bound_to_devices for each in self.requests]
        self._left = [self._of_all(self.requests[index:]) for index in range(len(requests) - 1)]
        self._dead_ends: set[object] = set()

    @staticmethod
    def _of_all(left: Sequence[placement.Request]) -> tuple[int, bool, bool]:
        """Return the fewest cores asked for, whether places count for one, and whether all may start anywhere."""
        return (
            min(each.count for each in left),
            any(each.is_bound_to_places for each in left),
            not any(each.is_bound_to_devices or each.first is not None for each in left),
        )

    def in_order_of_requests(self, found: Spans) -> Spans:
        """Return the spans that were found in the order in which they were asked for."""
        placed = dict(zip(self.order, found, strict=True))
        return tuple(placed[index] for index in range(len(found)))

    def run(self, free: int, index: int = 0) -> Spans | None:
        """Return the spans for the requests from ``index`` on, or None."""
        if index == len(self.requests):
            return ()
        if not self.possible(index, free) or self._needed[index] > free.bit_count():
            return None
        is_last = index + 1 == len(self.requests)  # has a place, as was just seen: it is no dead end
        if self._dead_ends and not is_last and self._shape(index, free) in self._dead_ends:
            return None
        count = self.requests[index].count
        for first in self._best_first(index, free):
            self.tried += 1
            left = free ^ windows.of_span(first, count)
            rest = None if self.tried > SEARCH_LIMIT else self.run(left, index + 1)
            if rest is not None:
                return spans.CoreSpan(first, count), *rest
        if not is_last:
            self._dead_ends.add(self._shape(index, free))
        return None

    def possible(self, index: int, free: int) -> int:
        """Return the cores on which the request could start now."""
        return windows.starts_in(free, self.requests[index].count) & self._starts[index]

    def _best_first(self, index: int, free: int) -> Iterator[int]:
        """Yield the cores on which the request could start in the order of the packing.

        A request that may start anywhere only ever needs the start of a run. Another one may have to go deeper into
        it, to leave the start to the requests placed after it. The cores on which so many fit come in a run for each
        free run that is long enough, shorter by what the request needs beyond its first core.
        """
        fitting = windows.starts_in(free, self.requests[index].count)
        for first, count in sorted(windows.runs(fitting), key=self._better):
            if self._anywhere[index]:
                yield first
            else:
                yield from windows.members(self._starts[index] & windows.of_span(first, count))

    def _shape(self, index: int, free: int) -> object:
        """Return what matters of the free cores to the requests from ``index`` on: where each run starts, its length.

        Runs too short for all of them are left out, and a start is told by its place in its device, or not at all
        when each may start anywhere. Requests for given cores, for which the place matters too, come first and have
        one candidate each: no shape is met twice among them. Where links or numbers of devices count, places do as
        well, and the shape is the free cores themselves.
        """
        shortest, by_place, anywhere = self._left[index]
        useful = windows.starts_in(free, shortest)
        if by_place:
            return index, useful
        if anywhere:
            return index, tuple(sorted(count for _, count in windows.runs(useful)))
        whole = self.hardware.cores_per_device
        return index, tuple(sorted((first % whole, count) for first, count in windows.runs(useful)))


def _hardness(request: placement.Request) -> tuple[bool, bool, int]:
    return request.first is None, not request.is_bound_to_devices, -request.count
