"""Which NeuronCores share a stack of HBM, and where processes that own cores of one stack find each other.

From Trn2 on a stack serves two neighbouring physical cores. Joined into one logical NeuronCore they have it to
themselves; left single (a logical core size of 1) they fill the same memory, also from two processes. Source: AWS's
page on device memory.

Law: bytes and places are computed here; what is charged to them is known to the C++ library.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

from neuronspan import instance_types, spans
from neuronspan_runtime import errors
from neuronspan_runtime.cores import hardware

LEDGERS = "hbm"
"""Directory beside the core locks, with one file per stack that processes share."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The HBM behind the cores of one process; sizes in bytes."""

    span: spans.CoreSpan
    """Its cores, node numbering."""
    bytes_per_core: int
    """Of each core when its stack is shared evenly."""
    cores_per_stack: int
    cores_per_device: int
    logical_core_size: int
    ledgers: pathlib.Path | None = None
    """Where processes that share a stack charge it together; without it each has its even share."""

    @property
    def shares_a_stack(self) -> bool:
        """Whether a core of one of its stacks may be another process's."""
        return bool(self.span.first % self.cores_per_stack or self.span.end % self.cores_per_stack)


def cores_per_stack(machine: instance_types.Hardware) -> int:
    """Return how many cores fill one stack: two where physical cores that could be joined are not."""
    return 2 if machine.can_join_cores and machine.logical_core_size == 1 else 1


def stack_bytes(machine: instance_types.Hardware) -> int:
    """Return the size of one stack, what the driver keeps of it included."""
    return machine.hbm_bytes_per_core * cores_per_stack(machine)


def stacks_of(machine: instance_types.Hardware, cores: Sequence[int]) -> list[tuple[int, ...]]:
    """Return these cores, node numbering and ascending, by the stack that they fill."""
    stacks: dict[int, tuple[int, ...]] = {}
    for core in cores:
        stack = core // cores_per_stack(machine)
        stacks[stack] = (*stacks.get(stack, ()), core)
    return list(stacks.values())


def layout_of(machine: instance_types.Hardware, span: spans.CoreSpan) -> Layout:
    """Return what the cores have; pure, without a place for ledgers."""
    return Layout(
        span=span,
        bytes_per_core=machine.hbm_bytes_per_core,
        cores_per_stack=cores_per_stack(machine),
        cores_per_device=machine.cores_per_device,
        logical_core_size=machine.logical_core_size,
    )


def with_ledgers(layout: Layout, machine: hardware.Machine) -> Layout:
    """Give the layout the directory of ledgers if it needs one; made on a simulated machine only.

    What a device plugin mounts into a pod is read-only, so two pods on one stack have half of it each. Raises
    HardwareUnknown when the directory cannot be made.
    """
    if machine.prepared or not layout.shares_a_stack:
        return layout
    directory = machine.directory / LEDGERS
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise errors.HardwareUnknown(
            f"the directory {directory} of shared HBM cannot be made: {error.strerror}"
        ) from error
    return dataclasses.replace(layout, ledgers=directory)
