"""Which operations run together: as few changes between the device and the CPU as the data flow allows.

Operations are counted in program order, so one depends on lower numbers only.

Law: pure; numbers of operations only, no graph.
"""

import dataclasses
from collections.abc import Collection, Sequence


@dataclasses.dataclass(frozen=True)
class Segment:
    """Operations that run in one piece."""

    on_device: bool
    operations: tuple[int, ...]
    """In program order."""


def segments(
    dependencies: Sequence[Collection[int]], on_device: Sequence[bool], *, keep_order: bool = False
) -> tuple[Segment, ...]:
    """Group the operations; every segment needs results of earlier segments only.

    With `keep_order` no operation moves before an earlier one: needed when some change tensors in place.
    """
    if keep_order:
        dependencies = [range(index - 1, index) if index else () for index in range(len(on_device))]
    early = _early(dependencies, on_device)
    late = _late(dependencies, on_device, early)
    return min((_grouped(steps, on_device) for steps in (early, late)), key=len)


def shrunk(
    dependencies: Sequence[Collection[int]],
    on_device: Sequence[bool],
    *,
    smallest: int,
    single_fraction: float,
    keep_order: bool = False,
) -> tuple[bool, ...]:
    """Return what stays on the device when small segments are not worth it.

    Segments below `smallest` operations go to the CPU; and if the largest has more than `single_fraction` of all
    operations, so do all others.
    """
    chosen = tuple(on_device)
    while True:
        found = [part for part in segments(dependencies, chosen, keep_order=keep_order) if part.on_device]
        largest = max(found, key=lambda part: len(part.operations), default=None)
        alone = largest is not None and len(largest.operations) > single_fraction * len(chosen)
        dropped = {
            index
            for part in found
            if len(part.operations) < smallest or (alone and part is not largest)
            for index in part.operations
        }
        if not dropped:
            return chosen
        chosen = tuple(stays and index not in dropped for index, stays in enumerate(chosen))


def _early(dependencies: Sequence[Collection[int]], on_device: Sequence[bool]) -> list[int]:
    """Return the step of each operation, as early as possible; even steps are the device's, odd ones the CPU's."""
    steps: list[int] = []
    for index, device in enumerate(on_device):
        first = 0 if device else 1
        after = (steps[other] + (on_device[other] != device) for other in dependencies[index])
        steps.append(max(after, default=first))
        steps[index] = max(steps[index], first)
    return steps


def _late(dependencies: Sequence[Collection[int]], on_device: Sequence[bool], early: Sequence[int]) -> list[int]:
    """Return the steps as late as possible without needing more of them."""
    last = max(early, default=0)
    steps = [last - (last % 2 == device) for device in on_device]  # the last step of its own parity
    for index in reversed(range(len(on_device))):
        for other in dependencies[index]:
            steps[other] = min(steps[other], steps[index] - (on_device[other] != on_device[index]))
    return steps


def _grouped(steps: Sequence[int], on_device: Sequence[bool]) -> tuple[Segment, ...]:
    members: dict[int, list[int]] = {}
    for index, step in enumerate(steps):
        members.setdefault(step, []).append(index)
    return tuple(Segment(on_device[found[0]], tuple(found)) for _, found in sorted(members.items()))
