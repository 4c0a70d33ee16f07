"""Source: scripts that keep an average of the weights and serve it.
Shows: one compilation, and the average of each epoch put into it.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["3"]


def main(directory: pathlib.Path) -> list[str]:
    """Three epochs; what is served is the average so far."""
    module = comparing.seeded(neuron_models.Small).train()
    traced = torch_neuronx.trace(module, neuron_models.example(), inline_weights_to_neff=False)
    torch_neuronx.set_neuron_cores(traced, 3)
    averaged = torch.optim.swa_utils.AveragedModel(module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        module(neuron_models.example()).sum().backward()
        optimizer.step()
        averaged.update_parameters(module)
        torch_neuronx.replace_weights(traced, averaged.module)
        with torch.no_grad():
            comparing.same(traced(neuron_models.example()), averaged.module(neuron_models.example()))
    assert directory.is_dir()
    return comparing.cores(traced)
