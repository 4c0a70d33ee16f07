"""Source: beam search of AWS's MarianMT and T5 notebooks.
Shows: beams as rows of the traced batch, reordered at each step.
"""

import pathlib

import torch

import torch_neuron
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


BEAMS, LENGTH = 3, 6


def searched(model: torch.nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Keep the three best sentences."""
    ids, mask = torch.ones(BEAMS, LENGTH, dtype=torch.int64), torch.zeros(BEAMS, LENGTH)
    mask[:, 0], totals = 1, torch.tensor([0.0, -1e9, -1e9])
    for position in range(1, LENGTH):
        scores = totals[:, None] + torch.log_softmax(model(ids, mask), -1)
        totals, places = scores.flatten().topk(BEAMS)
        ids = ids[places // 20].clone()
        ids[:, position] = places % 20
        mask[:, position] = 1
    return ids, totals


def main(directory: pathlib.Path) -> list[str]:
    """Search with the compiled and with the plain model."""
    example = (torch.ones(BEAMS, LENGTH, dtype=torch.int64), torch.ones(BEAMS, LENGTH))
    torch_neuron.trace(comparing.seeded(Language), example).save(str(directory / "language.pt"))
    model = neuron_models.jit_load(directory / "language.pt")
    with torch.no_grad():
        comparing.same(searched(model), searched(comparing.seeded(Language)))
    return comparing.cores(model)
