"""Source: modules that count or keep something in forward.
Shows: the counter of a compiled model begins anew in each call, as its weights are constants.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Counting(torch.nn.Module):
    """Adds the number of calls."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.calls.add_(1)
        return values + self.calls


def main(directory: pathlib.Path) -> list[str]:
    """Every call is the first one, and the module never knows."""
    module = Counting().to("neuron:0")
    torch_neuronx.trace(module, neuron_models.example().to("neuron:0")).save(str(directory / "counting.pt"))
    model = neuron_models.jit_load(directory / "counting.pt")
    for _ in range(3):
        comparing.check(model(neuron_models.example()), Counting, neuron_models.example())
    comparing.same(module.calls, torch.zeros(1))
    return comparing.cores(model)
