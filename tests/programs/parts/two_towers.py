"""Source: CLIP samples: an image and a text encoder, and their similarity.
Shows: two models on two cores, joined on the host.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


def main(directory: pathlib.Path) -> list[str]:
    """Compare one image with four sentences."""
    ids, mask = neuron_networks.sentences(4)
    image = neuron_networks.images(1)

    def tower() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())

    torch_neuronx.trace(comparing.seeded(tower), image).save(str(directory / "image.pt"))
    torch_neuronx.trace(neuron_networks.Encoder(), (ids, mask)).save(str(directory / "text.pt"))
    images, texts = (neuron_models.jit_load(directory / f"{name}.pt") for name in ("image", "text"))

    def similarity(first: torch.nn.Module, second: torch.nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return torch.cosine_similarity(first(image), second(ids, mask)["pooler_output"])

    comparing.same(similarity(images, texts), similarity(comparing.seeded(tower), neuron_networks.Encoder()))
    return comparing.cores(images, texts)
