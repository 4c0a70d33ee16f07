"""What is asked of a placement and what is answered: requests, packings, rules of pools, and reasons of refusals.

Law: values only; where requests go is worked out in ``fitting``.

Source of AWS's numbers of devices: the page of its scheduler extension (deploy/infrastructure/scheduler).
"""

import dataclasses
import enum
from typing import Final

from neuronspan import errors, instance_types, topologies

AWS_DEVICE_COUNTS: Final = (1, 4, 8, 16)
"""So many devices of a torus AWS's scheduler extension gives to a container, each from a multiple of its number on."""


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
        return self.device_counts if device_counts(hardware) else DeviceCounts.ANY


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


def device_counts(hardware: instance_types.Hardware) -> tuple[int, ...]:
    """Return the numbers of devices that AWS gives to a container of such a node, () when it gives any number.

    Only the torus is restricted: on a line, a ring or a switch every run of devices is connected.
    """
    if hardware.topology is not topologies.Topology.TORUS:
        return ()
    return tuple(count for count in AWS_DEVICE_COUNTS if count <= hardware.devices)
