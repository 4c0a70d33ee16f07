"""Seeds and states of the devices' generators, under the names that torch looks for.

Every default generator draws the CPU's stream, so a seed gives the same numbers on all devices and on the CPU.

Law: keeps no state; it is the CPU generator's.
"""

from collections.abc import Iterable

import torch

from neuronspan_runtime.device import device_index

_ops = torch.ops.neuron


def manual_seed(seed: int) -> None:
    """Seed the current device."""
    torch.default_generator.manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Seed all devices. torch.manual_seed calls it after it seeded the CPU, whose generator they share."""
    torch.default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the current device with a number that nobody chose, and return it."""
    return torch.default_generator.seed()


def seed_all() -> int:
    """Do the same for all devices."""
    return torch.default_generator.seed()


def initial_seed() -> int:
    """Return the seed of the current device."""
    return torch.default_generator.initial_seed()


def get_rng_state(device: device_index.DeviceLike = "neuron") -> torch.Tensor:
    """Return the state of the device's generator, on the CPU."""
    device_index.index_of(device)
    return torch.get_rng_state()


def get_rng_state_all() -> list[torch.Tensor]:
    """Return the state of every device's generator. A first use: it counts the devices."""
    return [get_rng_state(index) for index in range(int(_ops.device_count()))]


def set_rng_state(new_state: torch.Tensor, device: device_index.DeviceLike = "neuron") -> None:
    """Restore a state of the device's generator."""
    device_index.index_of(device)
    torch.set_rng_state(new_state)


def set_rng_state_all(new_states: Iterable[torch.Tensor]) -> None:
    """Restore the states that get_rng_state_all returned; of different ones the last counts, there is one stream."""
    for index, state in enumerate(new_states):
        set_rng_state(state, index)
