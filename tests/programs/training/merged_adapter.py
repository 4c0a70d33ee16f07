"""Source: LoRA fine-tuning: train two small matrices, merge, compile.
Shows: adapters that learn on the device, the merged model compiled from there.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Adapted(torch.nn.Module):
    """A frozen layer and two small matrices beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = torch.nn.Linear(6, 6).requires_grad_(requires_grad=False)
        self.down = torch.nn.Linear(6, 2, bias=False)
        self.up = torch.nn.Linear(2, 6, bias=False)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.base(values) + self.up(self.down(values))


def merged(device: str) -> torch.nn.Linear:
    """Train, then add the product to the weight."""
    torch.manual_seed(0)
    model = Adapted().to(device)
    optimizer = torch.optim.Adam((one for one in model.parameters() if one.requires_grad), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        model(neuron_models.example().to(device)).square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        model.base.weight.add_(model.up.weight @ model.down.weight)
    return model.base


def main(directory: pathlib.Path) -> list[str]:
    """Compile the merged layer where it is."""
    traced = torch_neuronx.trace(merged("neuron:0"), neuron_models.example())
    traced.save(str(directory / "merged.pt"))
    model = neuron_models.jit_load(directory / "merged.pt")
    comparing.same(model(neuron_models.example()), merged("cpu")(neuron_models.example()))
    return comparing.cores(model)
