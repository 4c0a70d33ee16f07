"""Source: AWS's YOLO notebooks: a backbone with three heads, boxes chosen on the CPU.
Shows: a list of outputs of several scales, and what follows on the host.
"""

import pathlib

import torch

import torch_neuron
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Yolo(torch.nn.Module):
    """Three scales, each with four numbers of a box and a score."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = torch.nn.ModuleList(torch.nn.Conv2d(3 if i == 0 else 8, 8, 3, 2, 1) for i in range(3))
        self.heads = torch.nn.ModuleList(torch.nn.Conv2d(8, 5, 1) for _ in range(3))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for stage, head in zip(self.stages, self.heads, strict=True):
            image = torch.nn.functional.silu(stage(image))
            found.append(head(image).flatten(2).transpose(1, 2))
        return found


def chosen(scales: list[torch.Tensor]) -> torch.Tensor:
    """The best boxes, best first."""
    boxes = torch.cat(scales, 1)[0]
    return boxes[boxes[:, 4].sort(descending=True, stable=True).indices[:5]]


def main(directory: pathlib.Path) -> list[str]:
    """Compile the network alone."""
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    torch_neuron.trace(comparing.seeded(Yolo), [image]).save(str(directory / "yolo.pt"))
    model = neuron_models.jit_load(directory / "yolo.pt")
    with torch.no_grad():
        comparing.same(chosen(model(image)), chosen(comparing.seeded(Yolo)(image)))
    return comparing.cores(model)
