"""Source: transformers for video that read only the shape of an input.
Shows: the warning of AWS's tracer, and anything in the place of what is not used.
"""

import pathlib
import warnings

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Rotary(torch.nn.Module):
    """Makes positions from the shape of its first input."""

    def forward(self, hidden: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        positions = torch.arange(hidden.shape[1]).float()
        return torch.outer(positions, scale).cos()


def main(directory: pathlib.Path) -> list[str]:
    """Listen to the warning; then give another tensor."""
    hidden, scale = torch.rand(1, 5, 8), torch.rand(3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced = torch_neuronx.trace(Rotary(), (hidden, scale))
    assert [str(one.message)[:49] for one in caught] == ["Received an input tensor that was unused. Tensor "]
    traced.save(str(directory / "rotary.pt"))
    model = neuron_models.jit_load(directory / "rotary.pt")
    comparing.check(model(torch.zeros(2, 2, dtype=torch.int32), scale), Rotary, hidden, scale)
    return comparing.cores(model)
