"""Source: AWS's tutorial of replaced weights, torch_neuronx.replace_weights.
Shows: one compilation, three sets of weights, on the core.
"""

import pathlib

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["4"]


def main(directory: pathlib.Path) -> list[str]:
    """Compile without weights inside, and give it others."""
    traced = torch_neuronx.trace(neuron_models.Small(), neuron_models.example(), inline_weights_to_neff=False)
    traced.save(str(directory / "empty.pt"))
    model = neuron_models.jit_load(directory / "empty.pt")
    torch_neuronx.move_trace_to_device(model, 4)
    for seed in (3, 1, 2):
        torch_neuronx.replace_weights(model, neuron_models.Small(seed).state_dict())
        comparing.same(model(neuron_models.example()), neuron_models.Small(seed)(neuron_models.example()))
    return comparing.cores(model)
