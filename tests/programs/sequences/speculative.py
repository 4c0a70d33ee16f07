"""Source: speculative decoding samples: a draft and a target model.
Shows: two models on two cores in turn; the target accepts or corrects.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


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


def spoken(draft: torch.nn.Module, target: torch.nn.Module) -> torch.Tensor:
    """Take the draft's word when the target says it too."""
    ids, mask = torch.full((1, 8), 2), torch.zeros(1, 8)
    mask[:, 0] = 1
    for position in range(1, 8):
        guess, truth = draft(ids, mask).argmax(-1), target(ids, mask).argmax(-1)
        ids[:, position] = torch.where(guess == truth, guess, truth)
        mask[:, position] = 1
    return ids


def main(directory: pathlib.Path) -> list[str]:
    """Seeds are the sizes of the models here."""
    example = (torch.ones(1, 8, dtype=torch.int64), torch.ones(1, 8))
    models = []
    for seed in (1, 2):
        torch_neuronx.trace(comparing.seeded(Language, seed), example).save(str(directory / f"{seed}.pt"))
        models.append(neuron_models.jit_load(directory / f"{seed}.pt"))
    with torch.no_grad():
        comparing.same(spoken(*models), spoken(comparing.seeded(Language, 1), comparing.seeded(Language, 2)))
    return comparing.cores(*models)
