"""Source: accelerate's device_map: layers on several cores, hooks that move what comes in.
Shows: a model over two cores and the CPU, run eagerly, and compiled whole.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]

PLACES = {"0": "neuron:0", "1": "neuron:1", "2": "cpu", "3": "neuron:0"}


def dispatched(model: neuron_models.Small) -> neuron_models.Small:
    """Put each layer where the map says, and let its inputs follow."""
    for name, layer in model.layers.named_children():
        device = torch.device(PLACES[name])
        layer.to(device)
        layer.register_forward_pre_hook(lambda _, given, device=device: tuple(one.to(device) for one in given))
    return model


def main(directory: pathlib.Path) -> list[str]:
    """Run the parts where they are, then compile from there."""
    model = dispatched(neuron_models.Small())
    with torch.no_grad():
        comparing.check(model(neuron_models.example()), neuron_models.Small, neuron_models.example())
    traced = torch_neuronx.trace(model, neuron_models.example())
    traced.save(str(directory / "whole.pt"))
    comparing.check(traced(neuron_models.example()), neuron_models.Small, neuron_models.example())
    assert [str(layer.weight.device) for layer in model.layers] == list(PLACES.values())
    return comparing.cores(traced)
