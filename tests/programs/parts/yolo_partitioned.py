"""Source: YOLO with its postprocessing inside, compiled for Inf1.
Shows: operators that are not supported run on the CPU, inside of one file.
"""

import pathlib

import torch

import torch_neuron
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Detector(torch.nn.Module):
    """Chooses the boxes itself."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.SiLU(), torch.nn.Conv2d(8, 5, 1))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        boxes = self.body(image).flatten(2).transpose(1, 2)[0]
        scores, order = boxes[:, 4].sort(descending=True, stable=True)
        return {"boxes": boxes[order[:5], :4], "scores": scores[:5]}


def main(directory: pathlib.Path) -> list[str]:
    """Let the compiler leave out what it cannot do."""
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    torch_neuron.trace(comparing.seeded(Detector), image).save(str(directory / "detector.pt"))
    model = neuron_models.jit_load(directory / "detector.pt")
    comparing.check(model(image), Detector, image)
    return comparing.cores(model)
