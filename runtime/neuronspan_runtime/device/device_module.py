"""The functions behind `torch.neuron`: what torch itself and device-agnostic programs expect of a device's module.

Cores are counted from the first one of this process. Asking how many there are is a first use: it claims them.

Law: keeps nothing of the device; that is in the C++ library and in the state of the process.
"""

import contextlib
import dataclasses
import importlib
from typing import Any

import torch

from neuronspan_runtime import environment
from neuronspan_runtime.device import device_index, memory, random_numbers, session, streams

DeviceLike = device_index.DeviceLike
_ops = torch.ops.neuron
_OF_INDUCTOR = ("Scheduling", "PythonWrapperCodegen", "CppWrapperCodegen", "WrapperFxCodegen")


def __getattr__(name: str) -> Any:
    """Import what inductor looks for when it does: it takes seconds, and inductor is there by then."""
    if name not in _OF_INDUCTOR:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("neuronspan_runtime.device.inductor"), name)


class device(contextlib.ContextDecorator):  # noqa: N801 - torch looks for it under this name
    """Make a device the current one of this thread for a while."""

    def __init__(self, device: DeviceLike) -> None:
        self._index = index_of(device)
        self._previous = -1

    def __enter__(self) -> None:
        self._previous = current_device()
        _ops.set_device(self._index)

    def __exit__(self, *exception: object) -> None:
        _ops.set_device(self._previous)


@dataclasses.dataclass(frozen=True)
class DeviceProperties:
    """What a program may want to know of one NeuronCore."""

    name: str
    """Family of the instance, such as `trn1`."""
    total_memory: int
    """Bytes of HBM that tensors and models can use."""


index_of = device_index.index_of
current_device = device_index.current_device


def is_available() -> bool:
    """Return whether this process has NeuronCores, or could get some. Unlike counting them this claims none."""
    return is_initialized() or session.could_start()


def is_initialized() -> bool:
    """Return whether the cores are claimed."""
    return bool(_ops.is_initialized())


def init() -> None:
    """Claim the cores now. Raises RuntimeError when that fails."""
    _ops.initialize()


_lazy_init = init  # torch calls it before the first tensor is made


def device_count() -> int:
    """Return how many NeuronCores this process owns. Raises RuntimeError when it cannot own any."""
    return int(_ops.device_count())


def set_device(device: DeviceLike) -> None:
    """Choose this thread's current device. Raises ValueError for an index that is not this process's."""
    index, count = index_of(device), device_count()
    if not 0 <= index < count:
        raise ValueError(f"Invalid device id: {index}. Valid range is 0 to {count - 1}")
    _ops.set_device(index)


def get_device_properties(device: DeviceLike = None) -> DeviceProperties:
    """Describe one NeuronCore."""
    family, _, _ = session.start().hardware.instance_type.partition(".")
    return DeviceProperties(family, memory.statistics(device)["limit"])


def get_device_name(device: DeviceLike = None) -> str:
    """Return the family of the instance that the device belongs to."""
    return get_device_properties(device).name


def get_platform_target() -> str:
    """Return what AWS's compiler would compile for: NEURON_PLATFORM_TARGET_OVERRIDE, else the family of the machine.

    Unlike get_device_name it claims nothing. Raises HardwareUnknown where the machine cannot be described.
    """
    return environment.platform_override() or session.family()


def synchronize(device: DeviceLike = None) -> None:
    """Wait until the device is idle: it always is, every operation ends before it returns."""
    index_of(device)


def _is_in_bad_fork() -> bool:
    return bool(_ops.in_bad_fork())


# --- arithmetic -------------------------------------------------------------------------------------------------------


def get_amp_supported_dtype() -> list[torch.dtype]:
    """Return the types that torch.autocast("neuron") may compute in."""
    return [torch.bfloat16, torch.float16]


def is_bf16_supported(including_emulation: bool = True) -> bool:  # noqa: ARG001 - it is not emulated
    """Return True: bfloat16 is what NeuronCores compute in."""
    return True


# --- what has modules of its own, where torch and programs look for it ------------------------------------------------

memory_stats = memory.memory_stats
memory_allocated = memory.memory_allocated
max_memory_allocated = memory.max_memory_allocated
memory_reserved = memory.memory_reserved
max_memory_reserved = memory.max_memory_reserved
mem_get_info = memory.mem_get_info
reset_peak_memory_stats = memory.reset_peak_memory_stats
reset_accumulated_memory_stats = memory.reset_accumulated_memory_stats
empty_cache = memory.empty_cache
memory_summary = memory.memory_summary
reset_max_memory_allocated = memory.reset_max_memory_allocated
reset_max_memory_reserved = memory.reset_max_memory_reserved

random = random_numbers
manual_seed = random_numbers.manual_seed
manual_seed_all = random_numbers.manual_seed_all
seed = random_numbers.seed
seed_all = random_numbers.seed_all
initial_seed = random_numbers.initial_seed
get_rng_state = random_numbers.get_rng_state
get_rng_state_all = random_numbers.get_rng_state_all
set_rng_state = random_numbers.set_rng_state
set_rng_state_all = random_numbers.set_rng_state_all

Stream = streams.Stream
StreamContext = streams.StreamContext
Event = streams.Event
stream = streams.stream
current_stream = streams.current_stream
default_stream = streams.default_stream
set_stream = streams.set_stream
is_current_stream_capturing = streams.is_current_stream_capturing
