"""Says why requests have no place on a node, and what would fit now.

Law: a sentence names what was asked, what is in the way, the largest free run and the way out.
"""

import dataclasses
import types
from collections.abc import Iterable, Mapping

from neuronspan import instance_types, placement, spans
from neuronspan.fitting import searching, windows


def _refusal(hardware: instance_types.Hardware, free: int, request: placement.Request) -> placement.Unplaceable:
    """Say why this one request has no place."""
    first, count = request.first, request.count
    if count > hardware.cores:
        reason, problem = placement.Reason.TOO_LARGE, f"the node has {hardware.cores} cores in all"
    elif first is not None and first + count > hardware.cores:
        reason, problem = placement.Reason.OUT_OF_RANGE, f"the node's last core is {hardware.cores - 1}"
    elif first is not None and request.align is not placement.Alignment.NONE and first % hardware.cores_per_device:
        reason, problem = (
            placement.Reason.MISALIGNED,
            f"a device starts at every multiple of {hardware.cores_per_device}",
        )
    elif not windows.starts(hardware, request):
        reason, problem = forbidden(hardware, request)
    elif first is None:
        reason, problem = placement.Reason.NO_RUN, _no_run(hardware, request)
    else:
        taken = windows.of_span(first, count) & ~free
        reason, problem = placement.Reason.SPAN_TAKEN, f"taken: {', '.join(map(str, windows.members(taken)))}"
    return _unplaceable(reason, f"{_describe(request)} cannot be placed: {problem}", hardware, free, request)


def forbidden(hardware: instance_types.Hardware, request: placement.Request) -> tuple[placement.Reason, str]:
    """Say which rule leaves no place for the request, which is no larger than the node, even were that empty."""
    counts = placement.device_counts(hardware) if request.device_counts is placement.DeviceCounts.AWS else ()
    if counts and not windows.starts(hardware, dataclasses.replace(request, align=placement.Alignment.NONE)):
        given = f"part of one device, or {_either(map(str, counts))} devices of {hardware.cores_per_device} cores"
        return placement.Reason.DEVICE_COUNT, f"the pool gives {given}, from a multiple of that number of devices on"
    devices = windows.devices_for(hardware, request.count)
    if request.first is None:
        return placement.Reason.NOT_CONNECTED, f"no {devices} devices in a row are connected"
    wanted = spans.CoreSpan(request.first // hardware.cores_per_device, devices)
    known = connected_runs(hardware, request)
    return placement.Reason.NOT_CONNECTED, f"devices {wanted} are not connected{known and f'; {known}'}"


def connected_runs(hardware: instance_types.Hardware, request: placement.Request) -> str:
    """Say which runs of as many devices are connected, "" where that is not asked for, or true of all or of none."""
    devices = windows.devices_for(hardware, request.count)
    found = windows.connected_runs(hardware, devices)
    if request.align is not placement.Alignment.LINK or not found or len(found) == hardware.devices - devices + 1:
        return ""
    return f"connected runs are {', '.join(str(spans.CoreSpan(run.start, devices)) for run in found)}"


def _no_run(hardware: instance_types.Hardware, request: placement.Request) -> str:
    """Say what all free runs lack."""
    devices = windows.devices_for(hardware, request.count)
    if request.device_counts is placement.DeviceCounts.AWS:
        if request.count < hardware.cores_per_device:
            return "no device has so many free cores in a row"
        return f"no {devices} devices are free from a multiple of {devices} on"
    known = connected_runs(hardware, request)
    if known:
        return f"no connected run of {devices} devices is free; {known}"
    where = "" if request.align is placement.Alignment.NONE else " counted from a device's first core"
    return f"no free run is long enough{where}"


def joint(search: searching.Search, free: int) -> placement.Unplaceable:
    """Say why these requests have no place together: the first that fails alone, or the combination."""
    hardware = search.hardware
    for index, request in enumerate(search.requests):
        if not search.possible(index, free):
            return _refusal(hardware, free, request)
    total = sum(request.count for request in search.requests)
    wanted = " + ".join(map(_describe, search.requests))
    reason = placement.Reason.TOO_LARGE if total > hardware.cores else placement.Reason.NOT_TOGETHER
    problem = f"they are {total} cores, the node has {hardware.cores}, {free.bit_count()} of them free"
    if search.tried > searching.SEARCH_LIMIT:
        problem += f"; no combination was found among the first {searching.SEARCH_LIMIT}"
    strictest = max(
        search.requests, key=lambda each: (list(placement.Alignment).index(each.align), each.device_counts.value)
    )
    return _unplaceable(
        reason, f"{wanted} fit one by one but not together on one node: {problem}", hardware, free, strictest
    )


def _unplaceable(
    reason: placement.Reason, problem: str, hardware: instance_types.Hardware, free: int, request: placement.Request
) -> placement.Unplaceable:
    runs = [spans.CoreSpan(*run) for run in windows.runs(free)]
    largest = max(runs, key=lambda run: run.count, default=None)
    if largest is None:
        return placement.Unplaceable(reason, f"{problem}; the largest free run is 0: no core is free", 0)
    return placement.Unplaceable(
        reason,
        f"{problem}; the largest free run is {largest.count} ({largest}), free are {', '.join(map(str, runs))}; "
        f"what would fit now: {_advice(hardware, free, request, largest.count)}",
        largest.count,
    )


def _advice(hardware: instance_types.Hardware, free: int, request: placement.Request, most: int) -> str:
    """Say what a request of the same kind could get now: where places count, larger ones may fit and smaller not."""
    rules = dataclasses.replace(request, first=None)
    whole = hardware.cores_per_device
    fitting = [count for count in range(1, most + 1) if _fits(hardware, free, rules, count)]
    if not fitting:
        return "nothing that starts on a device"
    if fitting[-1] == len(fitting):
        return f"up to {_phrase(fitting[-1], rules.align)}"
    devices = _either(str(count // whole) for count in fitting if count % whole == 0)
    return f"{devices} {'connected ' if rules.align is placement.Alignment.LINK else ''}devices of {whole} cores"


def _fits(hardware: instance_types.Hardware, free: int, rules: placement.Request, count: int) -> bool:
    return bool(windows.starts_in(free, count) & windows.starts(hardware, dataclasses.replace(rules, count=count)))


def _either(words: Iterable[str]) -> str:
    """Return the words as one phrase, like ``1, 4 or 8``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _describe(request: placement.Request) -> str:
    if request.first is None:
        return _phrase(request.count, request.align)
    return f"the cores {spans.CoreSpan(request.first, request.count)}"


def _phrase(count: int, align: placement.Alignment) -> str:
    return f"{'1 core' if count == 1 else f'{count} contiguous cores'}{_WHERE[align]}"


_WHERE: Mapping[placement.Alignment, str] = types.MappingProxyType(
    {
        placement.Alignment.NONE: "",
        placement.Alignment.DEVICE: " starting on a device",
        placement.Alignment.LINK: " on connected devices",
    }
)
