"""Source: AWS's BERT notebooks for sentence pairs, torch-neuron tutorials.
Shows: a tuple of token numbers and mask, the result by its key, one file on all cores.
"""

import pathlib

import torch

import torch_neuron
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2", "3", "4", "5", "6", "7"]


def main(directory: pathlib.Path) -> list[str]:
    """Compile once, load on every core, and ask for two pairs in turn."""
    ids, mask = neuron_networks.sentences(1)
    torch_neuron.trace(neuron_networks.Encoder(), (ids, mask)).save(str(directory / "bert.pt"))
    with torch_neuron.experimental.multicore_context():
        model = neuron_models.jit_load(directory / "bert.pt")
    for shift in range(10):
        pair = ((ids + shift) % 50, mask)
        found = model(*pair)
        comparing.check(found["pooler_output"], Pooled, *pair)
    return comparing.cores(model)


class Pooled(torch.nn.Module):
    """What a reader of the notebook compares."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = neuron_networks.Encoder()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encoder(ids, mask)["pooler_output"]
