"""Source: ViT notebooks of aws-neuron-samples.
Shows: a class token and positions, batches by dynamic batching, on the device.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import deployed_models, neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


def main(directory: pathlib.Path) -> list[str]:
    """Batches of other sizes than the traced one, which stay on the device."""
    make = deployed_models.VisionTransformer
    traced = torch_neuronx.dynamic_batch(torch_neuronx.trace(comparing.seeded(make), torch.rand(2, 3, 32, 32)))
    traced.save(str(directory / "vit.pt"))
    model = neuron_models.jit_load(directory / "vit.pt")
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found = model(images.to("neuron:0"))
    assert found.device == torch.device("neuron:0")
    # with gradients: without them torch takes a short cut through its encoder, which rounds otherwise and is not traced
    comparing.same(found, torch.cat([comparing.seeded(make)(pair) for pair in images.split(2)]))
    return comparing.cores(model)
