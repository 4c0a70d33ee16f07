"""Source: notebooks that move module and example first, model.to(device).
Shows: the trace of a module on the device, which stays there.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


def main(directory: pathlib.Path) -> list[str]:
    """Run eagerly on the device, trace there, and compare both with the CPU."""
    device = torch.device("neuron:1")
    module, example = neuron_models.Small().to(device), neuron_models.example().to(device)
    with torch.no_grad():
        comparing.check(module(example), neuron_models.Small, neuron_models.example())
    traced = torch_neuronx.trace(module, example)
    traced.save(str(directory / "small.pt"))
    comparing.check(traced(neuron_models.example()), neuron_models.Small, neuron_models.example())
    assert {parameter.device for parameter in module.parameters()} == {device}
    return comparing.cores(traced)
