"""Source: AWS's translation notebooks: a fixed length, padded, one word at a time.
Shows: a loop around a compiled model that fills its own input.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Language(torch.nn.Module):
    """Scores of the next word, from all words so far and a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(20, 16)
        self.layer = torch.nn.Linear(16, 16)
        self.scores = torch.nn.Linear(16, 20)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights = (mask / mask.sum(1, keepdim=True)).unsqueeze(-1)
        return self.scores(torch.tanh(self.layer((self.words(ids) * weights).sum(1))))


def generated(model: torch.nn.Module) -> torch.Tensor:
    """Generate until the traced length."""
    ids, mask = torch.zeros(2, 8, dtype=torch.int64), torch.zeros(2, 8)
    ids[:, 0], mask[:, 0] = torch.tensor([3, 7]), 1
    for position in range(1, 8):
        ids[:, position] = model(ids, mask).argmax(-1)
        mask[:, position] = 1
    return ids


def main(directory: pathlib.Path) -> list[str]:
    """Generate with the compiled and with the plain model."""
    example = (torch.zeros(2, 8, dtype=torch.int64), torch.ones(2, 8))
    torch_neuronx.trace(comparing.seeded(Language), example).save(str(directory / "language.pt"))
    model = neuron_models.jit_load(directory / "language.pt")
    with torch.no_grad():
        comparing.same(generated(model), generated(comparing.seeded(Language)))
    return comparing.cores(model)
