"""Source: AWS's autobucketing guide.
Shows: sentences of several lengths by one file.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "0"]


def kernel() -> Callable[[list[torch.Tensor]], tuple[list[torch.Tensor], torch.Tensor]]:
    """Pad to the next bucket."""
    made: Any = torch.jit.script(to_bucket)
    return made


def to_bucket(tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Choose 4 or 8 words."""
    length = tensors[0].size(1)
    bucket = 0 if length <= 4 else 1
    padded = torch.nn.functional.pad(tensors[0], [0, (4 if bucket == 0 else 8) - length])
    return [padded], torch.tensor(bucket)


class Summed(torch.nn.Module):
    """The sum over all words."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(20, 8, padding_idx=0)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.words(ids).sum(1)


def main(directory: pathlib.Path) -> list[str]:
    """Sentences of one to eight words."""
    config = torch_neuronx.BucketModelConfig(kernel)
    examples = [(torch.ones(1, length, dtype=torch.int64),) for length in (4, 8)]
    traced = torch_neuronx.bucket_model_trace(lambda: (comparing.seeded(Summed), {}), examples, config)
    traced.save(str(directory / "buckets.pt"))
    model = neuron_models.jit_load(directory / "buckets.pt")
    torch_neuronx.set_neuron_cores(model, 0)
    for length in range(1, 9):
        ids = torch.arange(1, length + 1).reshape(1, length)
        filled = torch.nn.functional.pad(ids, (0, (4 if length <= 4 else 8) - length))
        comparing.check(model(ids), Summed, filled)
    return comparing.cores(model)
