"""Source: U-Net segmentation samples.
Shows: skips, interpolation, and a mask by a threshold, image by image on replicas.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import deployed_models, neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


def main(directory: pathlib.Path) -> list[str]:
    """Two replicas take six images."""
    torch_neuronx.trace(comparing.seeded(deployed_models.UNet), torch.rand(1, 3, 32, 32)).save(str(directory / "u.pt"))
    model = neuron_models.jit_load(directory / "u.pt")
    torch_neuronx.set_neuron_cores(model, 0, 2)
    for seed in range(6):
        image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
        comparing.check(model(image), deployed_models.UNet, image)
    return comparing.cores(model)
