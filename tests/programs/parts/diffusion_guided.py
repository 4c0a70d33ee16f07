"""Source: guided diffusion on two cores: U-Net in DataParallel over prompt and empty prompt.
Shows: two rows on two cores at once, joined by the guidance.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


def main(directory: pathlib.Path) -> list[str]:
    """Guide three steps."""

    def unet() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(8, 4, 1))

    traced = torch_neuronx.trace(comparing.seeded(unet), torch.zeros(1, 4, 8, 8))
    traced.save(str(directory / "unet.pt"))
    parallel = torch_neuronx.DataParallel(neuron_models.jit_load(directory / "unet.pt"), [0, 1], False, False)
    parallel_rows = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain, sample = comparing.seeded(unet), parallel_rows
    for _ in range(3):
        found = parallel(sample)
        with torch.no_grad():
            comparing.same(found, torch.cat([plain(row) for row in sample.split(1)]))
        empty, prompted = found.chunk(2)
        sample = sample - 0.1 * (empty + 7.5 * (prompted - empty))
    return comparing.cores(parallel)
