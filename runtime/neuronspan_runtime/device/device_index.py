"""What programs may name a device by, and the number that it stands for.

Law: turns names into numbers; whether a process owns the core is for the C++ library to say.
"""

import torch

DeviceLike = torch.device | str | int | None
"""A device, its name, its index, or None for the current one."""


def current_device() -> int:
    """Return the index of this thread's current device."""
    return int(torch.ops.neuron.current_device())


def index_of(device: DeviceLike) -> int:
    """Return a device's index; None and `neuron` without a number are the current one. Raises ValueError for others."""
    if device is None:
        return current_device()
    if isinstance(device, int):
        return device
    named = torch.device(device)
    if named.type != "neuron":
        raise ValueError(f"expected a neuron device, got {named}")
    # torch types the index as int, but the device "neuron" has none
    return current_device() if named.index is None else named.index  # type: ignore[redundant-expr]
