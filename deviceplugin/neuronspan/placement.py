"""Which cores a container gets: a pure function of the node's hardware, what is taken, the request and the packing.

Law: an answer is always one run of free cores inside the node; a refusal says the largest free run and what would fit.
"""

import dataclasses
import enum
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from neuronspan import errors, instance_types, spans

_Spans = tuple[spans.CoreSpan, ...]

SEARCH_LIMIT = 2_000  # positions tried for the containers of one pod together: bounds the time a hostile pod can cost


class Packing(enum.StrEnum):
    """Which of the free runs is used."""

    BEST_FIT = "best-fit"  # the shortest that is long enough: keeps long runs whole
    FIRST_FIT = "first-fit"  # the lowest
    WORST_FIT = "worst-fit"  # the longest: spreads containers over the node


class Alignment(enum.StrEnum):
    """Where a span may start."""

    NONE = "none"
    DEVICE = "device"  # on the first core of a Neuron device


class Preferences(enum.StrEnum):
    """What counts more where a pod could be on several nodes."""

    FIRST = "First"  # what pods prefer, then how well the cores are packed
    AFTER_PACKING = "AfterPacking"  # how well the cores are packed, then what pods prefer


class Reason(enum.StrEnum):
    """Why a request was refused; only TOO_LARGE, OUT_OF_RANGE and MISALIGNED stay true on an empty node."""

    TOO_LARGE = "TooLarge"  # more cores than the node has
    OUT_OF_RANGE = "OutOfRange"  # the cores asked for do not all exist
    MISALIGNED = "Misaligned"  # the cores asked for do not start on a device
    SPAN_TAKEN = "SpanTaken"  # some of the cores asked for are not free
    NO_RUN = "NoRun"  # no free run is long enough
    NOT_TOGETHER = "NotTogether"  # each container fits, all of them do not


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What one container asks for: ``count`` contiguous cores, from core ``first`` on when that is given.

    Raises InvalidRequest.
    """

    count: int
    align: Alignment = Alignment.NONE
    first: int | None = None

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise errors.InvalidRequest(f"a request for {self.count!r} cores: ask for a whole number of at least 1")
        if not isinstance(self.align, Alignment):
            raise errors.InvalidRequest(f"alignment is {self.align!r}: it is one of {', '.join(Alignment)}")
        if self.first is not None and (type(self.first) is not int or self.first < 0):
            raise errors.InvalidRequest(f"first core is {self.first!r}: give a whole number of at least 0, or none")


@dataclasses.dataclass(frozen=True, slots=True)
class Unplaceable:
    """Why a request cannot be placed now: a Reason, a sentence, and the cores in the longest free run."""

    reason: str
    message: str
    largest_free_run: int


# Smaller is better; ties go to the lowest core.
_PREFERENCES: Mapping[Packing, Callable[[spans.CoreSpan], tuple[int, ...]]] = types.MappingProxyType(
    {
        Packing.BEST_FIT: lambda run: (run.count, run.first),
        Packing.FIRST_FIT: lambda run: (run.first,),
        Packing.WORST_FIT: lambda run: (-run.count, run.first),
    }
)


def place(
    hardware: instance_types.Hardware, taken: Iterable[spans.CoreSpan], request: Request, packing: Packing
) -> spans.CoreSpan | Unplaceable:
    """Return the cores for one container, or why there are none."""
    free = spans.free_runs(hardware.cores, taken)
    best = next(_candidates(hardware, free, request, packing), None)
    return _refusal(hardware, free, request) if best is None else best


def place_all(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    requests: Sequence[Request],
    packing: Packing,
) -> _Spans | Unplaceable:
    """Return the cores for each of a pod's containers, in the order of the requests, or why they do not all fit.

    The hardest are placed first (given cores, then aligned, then more cores). When that leads nowhere every other
    combination is tried; only after SEARCH_LIMIT positions it gives up, and the refusal says so.
    """
    order = sorted(range(len(requests)), key=lambda index: _hardness(requests[index]))
    search = _Search(hardware, packing, [requests[index] for index in order])
    held = tuple(taken)
    found = search.run(held)
    if found is None:
        return _joint_refusal(search, spans.free_runs(hardware.cores, held))
    placed = dict(zip(order, found, strict=True))
    return tuple(placed[index] for index in range(len(requests)))


class _Search:
    """Depth-first search for a place for each request; what led nowhere is not tried twice."""

    def __init__(self, hardware: instance_types.Hardware, packing: Packing, requests: Sequence[Request]) -> None:
        self.hardware = hardware
        self.packing = packing
        self.requests = requests
        self.tried = 0
        self._dead_ends: set[tuple[tuple[int, int], ...]] = set()

    def run(self, taken: _Spans, index: int = 0) -> _Spans | None:
        """Return the spans for the requests from ``index`` on, or None."""
        if index == len(self.requests):
            return ()
        free = spans.free_runs(self.hardware.cores, taken)
        if sum(request.count for request in self.requests[index:]) > sum(run.count for run in free):
            return None
        shape = self._shape(free)
        if shape in self._dead_ends:
            return None
        for span in _candidates(self.hardware, free, self.requests[index], self.packing):
            self.tried += 1
            rest = None if self.tried > SEARCH_LIMIT else self.run((*taken, span), index + 1)
            if rest is not None:
                return span, *rest
        self._dead_ends.add(shape)
        return None

    def _shape(self, free: _Spans) -> tuple[tuple[int, int], ...]:
        """Return what matters of the free runs: where in its device each starts, and its length.

        It tells dead ends apart: the number of free cores says which request is next. Requests for given cores, for
        which the place matters too, come first and have one candidate each: no shape is met twice among them.
        """
        return tuple(sorted((run.first % self.hardware.cores_per_device, run.count) for run in free))


def _candidates(
    hardware: instance_types.Hardware, free: _Spans, request: Request, packing: Packing
) -> Iterator[spans.CoreSpan]:
    """Return the spans that could serve the request, best first: the one search loop of all policies.

    An unaligned request only ever needs the start of a run. An aligned one may have to go deeper into it, to leave
    the start to the unaligned requests placed after it.
    """
    step = _step(hardware, request.align)
    for run in sorted(free, key=_PREFERENCES[packing]):
        lowest = -(-run.first // step) * step if request.first is None else request.first
        starts = range(lowest, run.end - request.count + 1, step)
        fits = run.first <= lowest and lowest % step == 0
        alone = request.first is not None or request.align is Alignment.NONE
        for first in starts[: 1 if alone else None] if fits else ():
            yield spans.CoreSpan(first, request.count)


def _step(hardware: instance_types.Hardware, align: Alignment) -> int:
    return hardware.cores_per_device if align is Alignment.DEVICE else 1


def _hardness(request: Request) -> tuple[bool, bool, int]:
    return request.first is None, request.align is Alignment.NONE, -request.count


# --- refusals --------------------------------------------------------------------------------------------------------


def _refusal(hardware: instance_types.Hardware, free: _Spans, request: Request) -> Unplaceable:
    """Say why this one request has no place."""
    first, count = request.first, request.count
    if count > hardware.cores:
        reason, problem = Reason.TOO_LARGE, f"the node has {hardware.cores} cores in all"
    elif first is None:
        where = "" if request.align is Alignment.NONE else " counted from a device's first core"
        reason, problem = Reason.NO_RUN, f"no free run is long enough{where}"
    elif first + count > hardware.cores:
        reason, problem = Reason.OUT_OF_RANGE, f"the node's last core is {hardware.cores - 1}"
    elif first % _step(hardware, request.align):
        reason, problem = Reason.MISALIGNED, f"a device starts at every multiple of {hardware.cores_per_device}"
    else:
        taken = set(spans.CoreSpan(first, count)).difference(*free)
        reason, problem = Reason.SPAN_TAKEN, f"taken: {', '.join(map(str, sorted(taken)))}"
    return _unplaceable(reason, f"{_describe(request)} cannot be placed: {problem}", hardware, free, request.align)


def _joint_refusal(search: _Search, free: _Spans) -> Unplaceable:
    """Say why these requests have no place together: the first that fails alone, or the combination."""
    hardware = search.hardware
    for request in search.requests:
        if next(_candidates(hardware, free, request, search.packing), None) is None:
            return _refusal(hardware, free, request)
    total = sum(request.count for request in search.requests)
    wanted = " + ".join(map(_describe, search.requests))
    reason = Reason.TOO_LARGE if total > hardware.cores else Reason.NOT_TOGETHER
    problem = f"they are {total} cores, the node has {hardware.cores}, {sum(run.count for run in free)} of them free"
    if search.tried > SEARCH_LIMIT:
        problem += f"; no combination was found among the first {SEARCH_LIMIT}"
    align = max((request.align for request in search.requests), key=list(Alignment).index)
    return _unplaceable(
        reason, f"{wanted} fit one by one but not together on one node: {problem}", hardware, free, align
    )


def _unplaceable(
    reason: Reason, problem: str, hardware: instance_types.Hardware, free: _Spans, align: Alignment
) -> Unplaceable:
    largest = max(free, key=lambda run: run.count, default=None)
    if largest is None:
        return Unplaceable(reason, f"{problem}; the largest free run is 0: no core is free", 0)
    fitting = _most_cores(hardware, free, align)
    advice = f"up to {_phrase(fitting, align)}" if fitting else "nothing that starts on a device"
    return Unplaceable(
        reason,
        f"{problem}; the largest free run is {largest.count} ({largest}), free are {', '.join(map(str, free))}; "
        f"what would fit now: {advice}",
        largest.count,
    )


def _most_cores(hardware: instance_types.Hardware, free: _Spans, align: Alignment) -> int:
    """Return the most cores that one request with this alignment could get now."""
    step = _step(hardware, align)
    return max(0, *(run.end + -run.first // step * step for run in free))


def _describe(request: Request) -> str:
    if request.first is None:
        return _phrase(request.count, request.align)
    return f"the cores {spans.CoreSpan(request.first, request.count)}"


def _phrase(count: int, align: Alignment) -> str:
    cores = "1 core" if count == 1 else f"{count} contiguous cores"
    return cores if align is Alignment.NONE else f"{cores} starting on a device"
