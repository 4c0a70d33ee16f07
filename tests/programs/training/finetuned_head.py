"""Source: fine-tuning of a head on a compiled backbone.
Shows: features from a core, a head that learns on the host.
"""

import pathlib

import torch

import torch_neuron
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0"]


def main(directory: pathlib.Path) -> list[str]:
    """The backbone is compiled and frozen; the head is not."""
    images = neuron_networks.images(4)
    torch_neuron.trace(neuron_networks.Convolutions(), images).save(str(directory / "backbone.pt"))
    backbone = neuron_models.jit_load(directory / "backbone.pt")

    def learned(features: torch.Tensor) -> list[torch.Tensor]:
        head = comparing.seeded(lambda: torch.nn.Linear(5, 2)).train()
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(head(features), torch.tensor([0, 1, 0, 1])).backward()
            optimizer.step()
        return list(head.parameters())

    with torch.no_grad():
        expected = neuron_networks.Convolutions()(images)
    comparing.same(learned(backbone(images)), learned(expected))
    return comparing.cores(backbone)
