"""The memory functions of `torch_neuronx` and `torch.neuron`: bytes of one core's HBM, rounded up to pages.

Names and keys are those of AWS's PyTorch-native package. What a program allocates is charged at once and nothing is set
aside for later, so reserved memory is 0, as it is there.

Law: reads the counters of the C++ library and adds none of its own.
"""

from typing import Any

import torch

from neuronspan_runtime.device import device_index

_ops = torch.ops.neuron


def memory_stats(device: device_index.DeviceLike = None) -> dict[str, Any]:
    """Return the counters of one device.

    `allocated_bytes`, `active_bytes` (the same) and `reserved_bytes` (always 0) each have `current`, `peak`, and the
    sums `allocated` and `freed`; `allocation_requests` counts requests of zero bytes and refused ones too,
    `num_alloc_retries` those that did not fit at first, `num_ooms` those that did not fit at all. Further keys are
    this package's own: what is free (`largest_free_bytes` in one piece), models, the microcode that a core needs while
    it has any, transfers in each direction (the
    bytes and how many), executions; they are never reset.
    """
    found = statistics(device)
    size = {
        "current": found["allocated"],
        "peak": found["peak"],
        "allocated": found["recent_allocated_bytes"],
        "freed": found["recent_freed_bytes"],
    }
    return {
        "allocated_bytes": size,
        "active_bytes": dict(size),
        "reserved_bytes": dict.fromkeys(size, 0),
        "num_alloc_retries": found["recent_retries"],
        "num_ooms": found["recent_failures"],
        "num_tensor_frees": found["recent_frees"],
        "allocation_requests": found["recent_requests"],
        "model_bytes": found["models"],
        "code_bytes": found["code"],
        "limit_bytes": found["limit"],
        "free_bytes": found["free"],
        "largest_free_bytes": found["largest_free"],
        "host_to_device_bytes": found["host_to_device"],
        "device_to_host_bytes": found["device_to_host"],
        "device_to_device_bytes": found["device_to_device"],
        "host_to_device_transfers": found["host_to_device_count"],
        "device_to_host_transfers": found["device_to_host_count"],
        "device_to_device_transfers": found["device_to_device_count"],
        "executions": found["executions"],
        "busy_nanoseconds": found["busy_nanoseconds"],
    }


def memory_allocated(device: device_index.DeviceLike = None) -> int:
    """Return the bytes in use on one device, by tensors, loaded models and what the core needs to run these."""
    return statistics(device)["allocated"]


def max_memory_allocated(device: device_index.DeviceLike = None) -> int:
    """Return the most bytes in use since the start or the last reset."""
    return statistics(device)["peak"]


def memory_reserved(device: device_index.DeviceLike = None) -> int:
    """Return 0: nothing is set aside for later."""
    device_index.index_of(device)
    return 0


def max_memory_reserved(device: device_index.DeviceLike = None) -> int:
    """Return 0: nothing is ever set aside for later."""
    return memory_reserved(device)


def mem_get_info(device: device_index.DeviceLike = None) -> tuple[int, int]:
    """Return (free, total) bytes of one device; cores that share a stack of HBM see each other's part as taken."""
    found = statistics(device)
    return found["free"], found["limit"]


def reset_peak_memory_stats(device: device_index.DeviceLike = None) -> None:
    """Let the peak of one device start from what is in use now."""
    _ops.reset_peak_memory(device_index.index_of(device))


def reset_max_memory_allocated(device: device_index.DeviceLike = None) -> None:
    """Do what reset_peak_memory_stats does: the name that it once had for `torch.cuda`."""
    reset_peak_memory_stats(device)


def reset_max_memory_reserved(device: device_index.DeviceLike = None) -> None:
    """Change nothing: reserved memory is always 0."""
    device_index.index_of(device)


def reset_accumulated_memory_stats(device: device_index.DeviceLike = None) -> None:
    """Let the sums and counts of one device start from 0; what is in use now and the peak stay."""
    _ops.reset_memory_counters(device_index.index_of(device))


def empty_cache() -> None:
    """Give the host pages behind freed device memory back to the system."""
    _ops.empty_cache()


def memory_summary(device: device_index.DeviceLike = None) -> str:
    """Return the memory of one device as a short table."""
    found = statistics(device)
    rows = {
        "tensors": found["allocated"] - found["models"] - found["code"],
        "loaded models": found["models"],
        "microcode": found["code"],
        "in use": found["allocated"],
        "peak": found["peak"],
        "limit": found["limit"],
        "free": found["free"],
        "largest piece": found["largest_free"],
    }
    counts = {
        "requests": found["recent_requests"],
        "frees": found["recent_frees"],
        "retries": found["recent_retries"],
        "out of memory": found["recent_failures"],
    }
    return "\n".join(
        [
            f"neuron:{device_index.index_of(device)}",
            *(f"{name:<14}{size / 2**20:>14,.1f} MiB" for name, size in rows.items()),
            *(f"{name:<14}{count:>14,}" for name, count in counts.items()),
        ]
    )


def statistics(device: device_index.DeviceLike) -> dict[str, int]:
    """Return every number that the C++ side has of one device, by its names; `recent` is since the last reset."""
    found: dict[str, int] = _ops.memory_stats(device_index.index_of(device))
    return found
