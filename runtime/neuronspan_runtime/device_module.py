"""The functions behind `torch.neuron`: what torch itself and device-agnostic programs expect of a device's module.

Cores are counted from the first one of this process. Asking how many there are is a first use: it claims them.
"""

import contextlib
import dataclasses
from typing import Any

import torch

from neuronspan_runtime import runtime

DeviceLike = torch.device | str | int | None
"""A device, its name, its index, or none for the current one."""

_ops = torch.ops.neuron
_STATISTICS = (
    "allocated", "peak", "limit", "host_to_device", "device_to_host", "device_to_device", "allocations", "frees",
    "models", "failures", "executions", "busy_nanoseconds",
)  # fmt: skip
"""Names of what torch.ops.neuron.memory_stats returns, in its order."""


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


def index_of(device: DeviceLike) -> int:
    """Return a device's index; none and `neuron` without a number are the current one. Raises ValueError for others."""
    if device is None:
        return current_device()
    if isinstance(device, int):
        return device
    named = torch.device(device)
    if named.type != "neuron":
        raise ValueError(f"expected a neuron device, got {named}")
    # torch types the index as int, but the device "neuron" has none
    return current_device() if named.index is None else named.index  # type: ignore[redundant-expr]


def is_available() -> bool:
    """Return whether this process has, or can now get, NeuronCores."""
    try:
        return bool(device_count() > 0)
    except RuntimeError:
        return False


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


def current_device() -> int:
    """Return the index of this thread's current device."""
    return int(_ops.current_device())


def set_device(device: DeviceLike) -> None:
    """Choose this thread's current device. Raises ValueError for an index that is not this process's."""
    index, count = index_of(device), device_count()
    if not 0 <= index < count:
        raise ValueError(f"Invalid device id: {index}. Valid range is 0 to {count - 1}")
    _ops.set_device(index)


def get_device_properties(device: DeviceLike = None) -> DeviceProperties:
    """Describe one NeuronCore."""
    family, _, _ = runtime.start().hardware.instance_type.partition(".")
    return DeviceProperties(family, _statistics(device)["limit"])


def get_device_name(device: DeviceLike = None) -> str:
    """Return the family of the instance that the device belongs to."""
    return get_device_properties(device).name


def synchronize(device: DeviceLike = None) -> None:
    """Wait until the device is idle: it always is, every operation ends before it returns."""
    index_of(device)


def _is_in_bad_fork() -> bool:
    return bool(_ops.in_bad_fork())


# --- random numbers: every generator draws the CPU's stream, so a seed gives the same numbers on both ----------------


def manual_seed(seed: int) -> None:
    """Seed the current device."""
    torch.default_generator.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed all devices. torch.manual_seed calls it after it seeded the CPU, whose generator they share."""
    torch.default_generator.manual_seed(seed)


def initial_seed() -> int:
    """Return the seed of the current device."""
    return torch.default_generator.initial_seed()


def get_rng_state(device: DeviceLike = "neuron") -> torch.Tensor:
    """Return the state of the device's generator, on the CPU."""
    index_of(device)
    return torch.get_rng_state()


def set_rng_state(new_state: torch.Tensor, device: DeviceLike = "neuron") -> None:
    """Restore a state of the device's generator."""
    index_of(device)
    torch.set_rng_state(new_state)


def get_amp_supported_dtype() -> list[torch.dtype]:
    """Return the types that torch.autocast("neuron") may compute in."""
    return [torch.bfloat16, torch.float16]


# --- memory: bytes of one core's HBM, rounded up to pages as the driver does ------------------------------------------


def memory_stats(device: DeviceLike = None) -> dict[str, Any]:
    """Return the counters of one device: allocated, reserved and active bytes, requests, frees and failures."""
    found = _statistics(device)
    size = {"current": found["allocated"], "peak": found["peak"]}
    return {
        "allocated_bytes": size,
        "active_bytes": size,
        "reserved_bytes": {"current": 0, "peak": 0},
        "model_bytes": found["models"],
        "limit_bytes": found["limit"],
        "allocation_requests": found["allocations"],
        "num_tensor_frees": found["frees"],
        "num_alloc_retries": 0,
        "num_ooms": found["failures"],
        "host_to_device_bytes": found["host_to_device"],
        "device_to_host_bytes": found["device_to_host"],
        "device_to_device_bytes": found["device_to_device"],
        "executions": found["executions"],
        "busy_nanoseconds": found["busy_nanoseconds"],
    }


def memory_allocated(device: DeviceLike = None) -> int:
    """Return the bytes in use on one device, by tensors and loaded models."""
    return _statistics(device)["allocated"]


def max_memory_allocated(device: DeviceLike = None) -> int:
    """Return the most bytes in use since the start or the last reset."""
    return _statistics(device)["peak"]


def memory_reserved(device: DeviceLike = None) -> int:
    """Return 0: nothing is set aside for later."""
    index_of(device)
    return 0


max_memory_reserved = memory_reserved


def mem_get_info(device: DeviceLike = None) -> tuple[int, int]:
    """Return (free, total) bytes of one device."""
    found = _statistics(device)
    return found["limit"] - found["allocated"], found["limit"]


def reset_peak_memory_stats(device: DeviceLike = None) -> None:
    """Let the peak of one device start from what is in use now."""
    _ops.reset_peak_memory(index_of(device))


def reset_accumulated_memory_stats(device: DeviceLike = None) -> None:
    """Do nothing: the tools need counters that only grow."""
    index_of(device)


def empty_cache() -> None:
    """Give the host pages behind freed device memory back to the system."""
    _ops.empty_cache()


def memory_summary(device: DeviceLike = None) -> str:
    """Return the memory of one device as a short table."""
    found = _statistics(device)
    rows = {
        "tensors": found["allocated"] - found["models"],
        "loaded models": found["models"],
        "in use": found["allocated"],
        "peak": found["peak"],
        "limit": found["limit"],
    }
    return "\n".join(
        [f"neuron:{index_of(device)}", *(f"{name:<14}{size / 2**20:>14,.1f} MiB" for name, size in rows.items())]
    )


def _statistics(device: DeviceLike) -> dict[str, int]:
    return dict(zip(_STATISTICS, _ops.memory_stats(index_of(device)), strict=True))
