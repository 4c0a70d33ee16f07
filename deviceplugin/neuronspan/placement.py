"""Which cores a container gets: a pure function of the node's hardware, what is taken, the request and the packing.

Law: an answer is always one run of free cores inside the node; a refusal says the largest free run and what would fit.
It depends on the hardware, on which cores are taken, on the requests and on the packing, and on nothing else: not on
the order or the number of the taken spans, on the node's name, or on what was asked before. So it may be remembered by
these four, and stays true until one of them changes.
"""

import dataclasses
import enum
import functools
import itertools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from neuronspan import errors, instance_types, spans, windows

_Spans = tuple[spans.CoreSpan, ...]
_Run = tuple[int, int]  # first core and number of cores

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
    LINK = "link"  # there, and all devices that the span touches are connected to each other


class DeviceCounts(enum.StrEnum):
    """How many devices a container may have."""

    ANY = "any"
    AWS = "aws"  # on a torus 1, 4, 8 or 16, from a multiple of that number on, as AWS's scheduler extension gives them


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What a node's pool says about where spans may be; ``align`` is for requests that say nothing of their own."""

    align: Alignment = Alignment.NONE
    device_counts: DeviceCounts = DeviceCounts.ANY

    def device_counts_on(self, hardware: instance_types.Hardware) -> DeviceCounts:
        """Return what is left of the rule on such a node: any number where AWS restricts none."""
        return self.device_counts if windows.device_counts(hardware) else DeviceCounts.ANY


class Preferences(enum.StrEnum):
    """What counts more where a pod could be on several nodes."""

    FIRST = "First"  # what pods prefer, then how well the cores are packed
    AFTER_PACKING = "AfterPacking"  # how well the cores are packed, then what pods prefer


class Reason(enum.StrEnum):
    """Why a request was refused; the first five stay true on an empty node, and NOT_TOGETHER may."""

    TOO_LARGE = "TooLarge"  # more cores than the node has
    OUT_OF_RANGE = "OutOfRange"  # the cores asked for do not all exist
    DEVICE_COUNT = "DeviceCount"  # the node's pool does not give so many, or not these
    MISALIGNED = "Misaligned"  # the cores asked for do not start on a device
    NOT_CONNECTED = "NotConnected"  # the cores asked for, or every run so long, are on devices without a link
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
    device_counts: DeviceCounts = DeviceCounts.ANY

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise errors.InvalidRequest(f"a request for {self.count!r} cores: ask for a whole number of at least 1")
        if not isinstance(self.align, Alignment):
            raise errors.InvalidRequest(f"alignment is {self.align!r}: it is one of {', '.join(Alignment)}")
        if self.first is not None and (type(self.first) is not int or self.first < 0):
            raise errors.InvalidRequest(f"first core is {self.first!r}: give a whole number of at least 0, or none")
        if not isinstance(self.device_counts, DeviceCounts):
            raise errors.InvalidRequest(
                f"device counts are {self.device_counts!r}: they are one of {', '.join(DeviceCounts)}"
            )

    @property
    def is_bound_to_devices(self) -> bool:
        """Whether where devices begin decides where it may be."""
        return self.align is not Alignment.NONE or self.device_counts is not DeviceCounts.ANY

    @property
    def is_bound_to_places(self) -> bool:
        """Whether which devices these are decides it, too: equal runs are not worth the same everywhere."""
        return self.align is Alignment.LINK or self.device_counts is not DeviceCounts.ANY


@dataclasses.dataclass(frozen=True, slots=True)
class Unplaceable:
    """Why a request cannot be placed now: a Reason, a sentence, and the cores in the longest free run."""

    reason: str
    message: str
    largest_free_run: int


# Smaller is better; ties go to the lowest core.
_PREFERENCES: Mapping[Packing, Callable[[_Run], tuple[int, ...]]] = types.MappingProxyType(
    {
        Packing.BEST_FIT: lambda run: (run[1], run[0]),
        Packing.FIRST_FIT: lambda run: run,
        Packing.WORST_FIT: lambda run: (-run[1], run[0]),
    }
)


def place(
    hardware: instance_types.Hardware, taken: Iterable[spans.CoreSpan], request: Request, packing: Packing
) -> spans.CoreSpan | Unplaceable:
    """Return the cores for one container, or why there are none."""
    answer = place_all(hardware, taken, (request,), packing)
    return answer if isinstance(answer, Unplaceable) else answer[0]


def place_all(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    requests: Sequence[Request],
    packing: Packing,
) -> _Spans | Unplaceable:
    """Return the cores for each of a pod's containers, in the order of the requests, or why they do not all fit.

    The hardest are placed first (given cores, then those that may not start anywhere, then more cores). When that leads
    nowhere every other combination is tried; only after SEARCH_LIMIT positions it gives up, and the refusal says so.
    """
    free = windows.free_cores(hardware.cores, taken)
    search = _Search(hardware, packing, requests)
    found = search.run(free)
    return _joint_refusal(search, free) if found is None else search.in_order_of_requests(found)


def find_all(
    hardware: instance_types.Hardware,
    taken: Iterable[spans.CoreSpan],
    requests: Sequence[Request],
    packing: Packing,
) -> _Spans | None:
    """Return what ``place_all`` does, None in place of a refusal: its sentence costs more than the search."""
    search = _Search(hardware, packing, requests)
    found = search.run(windows.free_cores(hardware.cores, taken))
    return None if found is None else search.in_order_of_requests(found)


@functools.lru_cache(4096)
def starts(hardware: instance_types.Hardware, request: Request) -> int:
    """Return the cores on which the request may start on an empty node, as a set of bits; see ``windows``."""
    allowed = windows.on_any_core(hardware, request.count)
    if request.align is Alignment.DEVICE:
        allowed &= windows.on_devices(hardware, request.count)
    elif request.align is Alignment.LINK:
        allowed &= windows.on_connected_devices(hardware, request.count)
    if request.device_counts is DeviceCounts.AWS:
        allowed &= windows.as_aws_counts(hardware, request.count)
    return allowed if request.first is None else allowed & 1 << request.first


class _Search:
    """Depth-first search for a place for each request, hardest first; what led nowhere is not tried twice."""

    def __init__(self, hardware: instance_types.Hardware, packing: Packing, requests: Sequence[Request]) -> None:
        self.hardware = hardware
        self.order = sorted(range(len(requests)), key=lambda index: _hardness(requests[index]))
        self.requests = [requests[index] for index in self.order]
        self.tried = 0
        self._better = _PREFERENCES[packing]
        self._starts = [starts(hardware, request) for request in self.requests]
        left = itertools.accumulate(each.count for each in reversed(self.requests))
        self._needed = [*left][::-1]
        self._anywhere = [each.first is None and not each.is_bound_to_devices for each in self.requests]
        self._left = [self._of_all(self.requests[index:]) for index in range(len(requests) - 1)]
        self._dead_ends: set[object] = set()

    @staticmethod
    def _of_all(left: Sequence[Request]) -> tuple[int, bool, bool]:
        """Return the fewest cores asked for, whether places count for one, and whether all may start anywhere."""
        return (
            min(each.count for each in left),
            any(each.is_bound_to_places for each in left),
            not any(each.is_bound_to_devices or each.first is not None for each in left),
        )

    def in_order_of_requests(self, found: _Spans) -> _Spans:
        """Return the spans that were found in the order in which they were asked for."""
        placed = dict(zip(self.order, found, strict=True))
        return tuple(placed[index] for index in range(len(found)))

    def run(self, free: int, index: int = 0) -> _Spans | None:
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


def _hardness(request: Request) -> tuple[bool, bool, int]:
    return request.first is None, not request.is_bound_to_devices, -request.count


# --- refusals --------------------------------------------------------------------------------------------------------


def _refusal(hardware: instance_types.Hardware, free: int, request: Request) -> Unplaceable:
    """Say why this one request has no place."""
    first, count = request.first, request.count
    if count > hardware.cores:
        reason, problem = Reason.TOO_LARGE, f"the node has {hardware.cores} cores in all"
    elif first is not None and first + count > hardware.cores:
        reason, problem = Reason.OUT_OF_RANGE, f"the node's last core is {hardware.cores - 1}"
    elif first is not None and request.align is not Alignment.NONE and first % hardware.cores_per_device:
        reason, problem = Reason.MISALIGNED, f"a device starts at every multiple of {hardware.cores_per_device}"
    elif not starts(hardware, request):
        reason, problem = forbidden(hardware, request)
    elif first is None:
        reason, problem = Reason.NO_RUN, _no_run(hardware, request)
    else:
        taken = windows.of_span(first, count) & ~free
        reason, problem = Reason.SPAN_TAKEN, f"taken: {', '.join(map(str, windows.members(taken)))}"
    return _unplaceable(reason, f"{_describe(request)} cannot be placed: {problem}", hardware, free, request)


def forbidden(hardware: instance_types.Hardware, request: Request) -> tuple[Reason, str]:
    """Say which rule leaves no place for the request, which is no larger than the node, even were that empty."""
    counts = windows.device_counts(hardware) if request.device_counts is DeviceCounts.AWS else ()
    if counts and not starts(hardware, dataclasses.replace(request, align=Alignment.NONE)):
        given = f"part of one device, or {_either(map(str, counts))} devices of {hardware.cores_per_device} cores"
        return Reason.DEVICE_COUNT, f"the pool gives {given}, from a multiple of that number of devices on"
    devices = windows.devices_for(hardware, request.count)
    if request.first is None:
        return Reason.NOT_CONNECTED, f"no {devices} devices in a row are connected"
    wanted = spans.CoreSpan(request.first // hardware.cores_per_device, devices)
    known = connected_runs(hardware, request)
    return Reason.NOT_CONNECTED, f"devices {wanted} are not connected{known and f'; {known}'}"


def connected_runs(hardware: instance_types.Hardware, request: Request) -> str:
    """Say which runs of as many devices are connected, "" where that is not asked for, or true of all or of none."""
    devices = windows.devices_for(hardware, request.count)
    found = windows.connected_runs(hardware, devices)
    if request.align is not Alignment.LINK or not found or len(found) == hardware.devices - devices + 1:
        return ""
    return f"connected runs are {', '.join(str(spans.CoreSpan(run.start, devices)) for run in found)}"


def _no_run(hardware: instance_types.Hardware, request: Request) -> str:
    """Say what all free runs lack."""
    devices = windows.devices_for(hardware, request.count)
    if request.device_counts is DeviceCounts.AWS:
        if request.count < hardware.cores_per_device:
            return "no device has so many free cores in a row"
        return f"no {devices} devices are free from a multiple of {devices} on"
    known = connected_runs(hardware, request)
    if known:
        return f"no connected run of {devices} devices is free; {known}"
    where = "" if request.align is Alignment.NONE else " counted from a device's first core"
    return f"no free run is long enough{where}"


def _joint_refusal(search: _Search, free: int) -> Unplaceable:
    """Say why these requests have no place together: the first that fails alone, or the combination."""
    hardware = search.hardware
    for index, request in enumerate(search.requests):
        if not search.possible(index, free):
            return _refusal(hardware, free, request)
    total = sum(request.count for request in search.requests)
    wanted = " + ".join(map(_describe, search.requests))
    reason = Reason.TOO_LARGE if total > hardware.cores else Reason.NOT_TOGETHER
    problem = f"they are {total} cores, the node has {hardware.cores}, {free.bit_count()} of them free"
    if search.tried > SEARCH_LIMIT:
        problem += f"; no combination was found among the first {SEARCH_LIMIT}"
    strictest = max(search.requests, key=lambda each: (list(Alignment).index(each.align), each.device_counts.value))
    return _unplaceable(
        reason, f"{wanted} fit one by one but not together on one node: {problem}", hardware, free, strictest
    )


def _unplaceable(
    reason: Reason, problem: str, hardware: instance_types.Hardware, free: int, request: Request
) -> Unplaceable:
    runs = [spans.CoreSpan(*run) for run in windows.runs(free)]
    largest = max(runs, key=lambda run: run.count, default=None)
    if largest is None:
        return Unplaceable(reason, f"{problem}; the largest free run is 0: no core is free", 0)
    return Unplaceable(
        reason,
        f"{problem}; the largest free run is {largest.count} ({largest}), free are {', '.join(map(str, runs))}; "
        f"what would fit now: {_advice(hardware, free, request, largest.count)}",
        largest.count,
    )


def _advice(hardware: instance_types.Hardware, free: int, request: Request, most: int) -> str:
    """Say what a request of the same kind could get now: where places count, larger ones may fit and smaller not."""
    rules = dataclasses.replace(request, first=None)
    whole = hardware.cores_per_device
    fitting = [count for count in range(1, most + 1) if _fits(hardware, free, rules, count)]
    if not fitting:
        return "nothing that starts on a device"
    if fitting[-1] == len(fitting):
        return f"up to {_phrase(fitting[-1], rules.align)}"
    devices = _either(str(count // whole) for count in fitting if count % whole == 0)
    return f"{devices} {'connected ' if rules.align is Alignment.LINK else ''}devices of {whole} cores"


def _fits(hardware: instance_types.Hardware, free: int, rules: Request, count: int) -> bool:
    return bool(windows.starts_in(free, count) & starts(hardware, dataclasses.replace(rules, count=count)))


def _either(words: Iterable[str]) -> str:
    """Return the words as one phrase, like ``1, 4 or 8``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _describe(request: Request) -> str:
    if request.first is None:
        return _phrase(request.count, request.align)
    return f"the cores {spans.CoreSpan(request.first, request.count)}"


def _phrase(count: int, align: Alignment) -> str:
    return f"{'1 core' if count == 1 else f'{count} contiguous cores'}{_WHERE[align]}"


_WHERE: Mapping[Alignment, str] = types.MappingProxyType(
    {Alignment.NONE: "", Alignment.DEVICE: " starting on a device", Alignment.LINK: " on connected devices"}
)
