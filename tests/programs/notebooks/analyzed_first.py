"""Source: AWS's notebooks that analyze before they trace.
Shows: what is supported, and a part that stays on the CPU.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Ranked(torch.nn.Module):
    """Ends in a sort, which stays on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.ReLU(), torch.nn.Linear(6, 6))

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores, order = torch.sort(self.layer(values), descending=True)
        return scores, order


def main(directory: pathlib.Path) -> list[str]:
    """Analyze, partition, save, load."""
    report = torch_neuronx.analyze(comparing.seeded(Ranked), neuron_models.example())
    assert [one["kind"] for one in report["unsupported_operators"]] == ["aten::sort"]
    config = torch_neuronx.PartitionerConfig()
    traced = torch_neuronx.trace(comparing.seeded(Ranked), neuron_models.example(), partitioner_config=config)
    traced.save(str(directory / "ranked.pt"))
    model = neuron_models.jit_load(directory / "ranked.pt")
    comparing.check(model(neuron_models.example()), Ranked, neuron_models.example())
    return comparing.cores(model)
