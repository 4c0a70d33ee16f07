"""Typed names for the operators of the C++ library that this package calls; indices are local to the process.

Law: one function for each operator, and no decision in any of them.
"""

import torch

from neuronspan_runtime.cores import hbm


def configure(layout: hbm.Layout, group_sizes: tuple[int, ...], *, log_errors: bool, log_exhaustion: bool) -> None:
    """Make one torch device per owned core, and place models by NeuronCore Groups of these sizes from core 0 on.

    `log_errors` is whether a model or an input that is refused for its core is also logged, `log_exhaustion` whether a
    lack of HBM is. Raises RuntimeError, having configured nothing.
    """
    torch.ops.neuron.configure(
        layout.span.count,
        layout.bytes_per_core,
        layout.span.first,
        cores_per_stack=layout.cores_per_stack,
        cores_per_device=layout.cores_per_device,
        logical_core_size=layout.logical_core_size,
        log_exhaustion=log_exhaustion,
        ledgers="" if layout.ledgers is None else str(layout.ledgers),
        groups=list(group_sizes),
        log_errors=log_errors,
    )


def shutdown() -> None:
    """Forget the devices. Raises RuntimeError while tensors or models live on them."""
    torch.ops.neuron.shutdown()


def open_telemetry(descriptor: int, cores: int) -> bool:
    """Count on the pages of this memory from now on; return whether that works. Without them cores count in private."""
    return bool(torch.ops.neuron.open_telemetry(descriptor, cores))


def close_telemetry() -> None:
    """Count in private again, from 0."""
    torch.ops.neuron.close_telemetry()


def set_pace(nanoseconds_per_byte: tuple[float, float] | None) -> None:
    """Let executions last what a core needs, and copies so long for each byte to the device and to the host.

    None lets everything last what the CPU needs.
    """
    to_device, to_host = nanoseconds_per_byte or (0.0, 0.0)
    torch.ops.neuron.set_pace(nanoseconds_per_byte is not None, to_device, to_host)


def default_cores() -> tuple[int, int]:
    """Return (start, count) for models loaded from now on; -1 is least used, and as many as the model needs."""
    start, count = torch.ops.neuron.get_default_cores()
    return int(start), int(count)


def set_default_cores(start: int, count: int) -> None:
    """Set (start, count) for models loaded from now on, in the whole process."""
    torch.ops.neuron.set_default_cores(start, count)


def set_loading(enabled: bool) -> bool:
    """Set whether models that this thread reads or copies are loaded at once; return what it was."""
    return bool(torch.ops.neuron.set_loading(enabled))


def core_usage() -> tuple[int, ...]:
    """Return how many loaded models use each core."""
    return tuple(int(uses) for uses in torch.ops.neuron.core_usage())
