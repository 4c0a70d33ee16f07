"""Where on an empty node a run of so many cores may start: on any core, on a device, on devices that are connected.

Law: an answer depends on the hardware and the numbers asked for, nothing else, so each is worked out once. Cores are
bits here: core ``n`` is ``1 << n``, and a set of cores, or of cores to start on, is one integer.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Final

from neuronspan import instance_types, placement, spans

_REMEMBERED: Final = 4096  # answers: every size of a dozen kinds of hardware


def is_connected(hardware: instance_types.Hardware, devices: range) -> bool:
    """Whether one can get from each of the devices to each other one without leaving them; one device is connected."""
    reached = set(devices[:1])
    edge = list(reached)
    while edge:
        beside = {other for other in hardware.connected_to(edge.pop()) if other in devices} - reached
        reached |= beside
        edge += beside
    return len(reached) == len(devices)


@functools.lru_cache(_REMEMBERED)
def connected_runs(hardware: instance_types.Hardware, devices: int) -> tuple[range, ...]:
    """Return the runs of so many consecutive devices that are connected, ascending."""
    every = (range(first, first + devices) for first in range(hardware.devices - devices + 1))
    return tuple(run for run in every if is_connected(hardware, run))


def devices_for(hardware: instance_types.Hardware, cores: int) -> int:
    """Return how many devices so many cores touch when they start on a device."""
    return -(-cores // hardware.cores_per_device)


@functools.lru_cache(_REMEMBERED)
def on_any_core(hardware: instance_types.Hardware, cores: int) -> int:
    """Return the cores on which a run of so many can start."""
    return (1 << max(0, hardware.cores - cores + 1)) - 1


@functools.lru_cache(_REMEMBERED)
def on_devices(hardware: instance_types.Hardware, cores: int) -> int:
    """Return the first cores of devices on which a run of so many cores can start."""
    boundaries = bits(range(0, hardware.cores, hardware.cores_per_device))
    return boundaries & on_any_core(hardware, cores)


@functools.lru_cache(_REMEMBERED)
def on_connected_devices(hardware: instance_types.Hardware, cores: int) -> int:
    """Return the first cores of devices on which a run of so many cores can start that touches connected devices."""
    runs = connected_runs(hardware, devices_for(hardware, cores))
    return bits(run.start * hardware.cores_per_device for run in runs)


@functools.lru_cache(_REMEMBERED)
def as_aws_counts(hardware: instance_types.Hardware, cores: int) -> int:
    """Return the cores on which a run of so many can start where numbers of devices are restricted as by AWS.

    Part of a device lies within one device; whole devices start on a multiple of their number; nothing else is given.
    """
    whole = hardware.cores_per_device
    counts = placement.device_counts(hardware)
    if not counts:
        return on_any_core(hardware, cores)
    if cores < whole:
        return bits(core for core in range(hardware.cores) if core % whole + cores <= whole)
    if cores % whole or cores // whole not in counts:
        return 0
    return bits(range(0, hardware.cores - cores + 1, cores))


@functools.lru_cache(_REMEMBERED)
def starts(hardware: instance_types.Hardware, request: placement.Request) -> int:
    """Return the cores on which the request may start on an empty node, as a set of bits."""
    allowed = on_any_core(hardware, request.count)
    if request.align is placement.Alignment.DEVICE:
        allowed &= on_devices(hardware, request.count)
    elif request.align is placement.Alignment.LINK:
        allowed &= on_connected_devices(hardware, request.count)
    if request.device_counts is placement.DeviceCounts.AWS:
        allowed &= as_aws_counts(hardware, request.count)
    return allowed if request.first is None else allowed & 1 << request.first


# --- sets of cores as integers ---------------------------------------------------------------------------------------


def bits(cores: Iterable[int]) -> int:
    """Return the set of these cores."""
    return functools.reduce(lambda found, core: found | 1 << core, cores, 0)


def of_span(first: int, count: int) -> int:
    """Return the set of ``count`` cores from ``first`` on."""
    return ((1 << count) - 1) << first


def free_cores(cores: int, taken: Iterable[spans.CoreSpan]) -> int:
    """Return the cores of 0..cores-1 that are in no taken span; taken spans may overlap and reach past the end."""
    used = 0
    for span in taken:
        used |= of_span(span.first, span.count)
    return ((1 << cores) - 1) & ~used


def members(cores: int) -> Iterator[int]:
    """Yield the cores of a set, ascending."""
    while cores:
        lowest = cores & -cores
        yield lowest.bit_length() - 1
        cores ^= lowest


def runs(cores: int) -> Iterator[tuple[int, int]]:
    """Yield first core and length of each maximal run in a set, ascending."""
    while cores:
        lowest = cores & -cores
        beyond = cores + lowest  # the carry runs through the lowest run and stops at the first core that is missing
        first, end = lowest.bit_length() - 1, (beyond & -beyond).bit_length() - 1
        yield first, end - first
        cores &= beyond


def starts_in(cores: int, count: int) -> int:
    """Return the cores of a set from which ``count`` consecutive ones are in it."""
    length = 1
    while length < count and cores:
        step = min(length, count - length)
        cores &= cores >> step
        length += step
    return cores
