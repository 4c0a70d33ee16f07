"""Source: AWS's ResNet-50 notebooks, aws-neuron-samples inference.
Shows: trace, save, load in the same session, and a sweep of calls.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


def main(directory: pathlib.Path) -> list[str]:
    """Trace for one image and for four, save both, load both, and infer."""
    models = []
    for batch in (1, 4):
        traced = torch_neuronx.trace(neuron_networks.Convolutions(), neuron_networks.images(batch))
        traced.save(str(directory / f"resnet_{batch}.pt"))
        models.append(neuron_models.jit_load(directory / f"resnet_{batch}.pt"))
    for model, batch in zip(models, (1, 4), strict=True):
        for seed in range(5):
            torch.manual_seed(seed)
            images = torch.rand(batch, 3, 8, 8)
            comparing.check(model(images), neuron_networks.Convolutions, images)
    return comparing.cores(*models)
