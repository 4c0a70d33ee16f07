"""Source: super resolution by tiles, PixelShuffle.
Shows: an image of any size in tiles of the traced one.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2"]


def main(directory: pathlib.Path) -> list[str]:
    """Enlarge nine tiles over three cores."""

    def network() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3, padding=1), torch.nn.PixelShuffle(2))

    torch_neuronx.trace(comparing.seeded(network), torch.rand(1, 3, 8, 8)).save(str(directory / "sr.pt"))
    model = torch_neuronx.DataParallel(neuron_models.jit_load(directory / "sr.pt"), ["nc:0", "nc:1", "nc:2"])
    image = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(2))
    tiles = torch.stack([tile for row in image.split(8, 1) for tile in row.split(8, 2)])
    plain = comparing.seeded(network)
    with torch.no_grad():
        comparing.same(model(tiles), torch.cat([plain(tile) for tile in tiles.split(1)]))
    return comparing.cores(model)
