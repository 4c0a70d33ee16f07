"""Source: services that load a new version beside the old one.
Shows: both versions at once, requests switched between them, the old core free again.
"""

import pathlib

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["1", "0"]


def main(directory: pathlib.Path) -> list[str]:
    """Serve version one, load two, switch, drop one, load three where it was."""
    for version in (1, 2, 3):
        traced = torch_neuronx.trace(neuron_models.Small(version), neuron_models.example())
        traced.save(str(directory / f"{version}.pt"))
    serving = neuron_models.jit_load(directory / "1.pt")
    comparing.same(serving(neuron_models.example()), neuron_models.Small(1)(neuron_models.example()))
    following = neuron_models.jit_load(directory / "2.pt")
    serving = following
    comparing.same(serving(neuron_models.example()), neuron_models.Small(2)(neuron_models.example()))
    third = neuron_models.jit_load(directory / "3.pt")
    comparing.same(third(neuron_models.example()), neuron_models.Small(3)(neuron_models.example()))
    return comparing.cores(serving, third)
