"""Source: programs that give their inputs in a list.
Shows: a list is one argument for torch_neuronx and several for torch_neuron.
"""

import pathlib

import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


class Pair(torch.nn.Module):
    """Takes a list."""

    def forward(self, both: list[torch.Tensor]) -> torch.Tensor:
        return both[0] @ both[1]


class Two(torch.nn.Module):
    """Takes two arguments."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first @ second


def main(directory: pathlib.Path) -> list[str]:
    """Both ways, saved and loaded."""
    given = [torch.rand(2, 3), torch.rand(3, 2)]
    torch_neuronx.trace(Pair(), given).save(str(directory / "pair.pt"))
    torch_neuron.trace(Two(), given).save(str(directory / "two.pt"))
    pair, two = (neuron_models.jit_load(directory / f"{name}.pt") for name in ("pair", "two"))
    comparing.check(pair(given), Pair, given)
    comparing.check(two(*given), Two, *given)
    return comparing.cores(pair, two)
