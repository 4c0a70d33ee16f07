"""Source: speech samples that carry the state of an LSTM.
Shows: hidden and cell stay on the core between calls as tensors of the caller's.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Streaming(torch.nn.Module):
    """A chunk of sound and the state before it."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(4, 8, batch_first=True)

    def forward(
        self, chunk: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return self.lstm(chunk, state)


def main(directory: pathlib.Path) -> list[str]:
    """Ten chunks, on the device all the time."""
    sound = torch.rand(1, 50, 4, generator=torch.Generator().manual_seed(6))
    state = (torch.zeros(1, 1, 8), torch.zeros(1, 1, 8))
    torch_neuronx.trace(comparing.seeded(Streaming), (sound[:, :5], state)).save(str(directory / "lstm.pt"))
    model, plain = neuron_models.jit_load(directory / "lstm.pt"), comparing.seeded(Streaming)
    there = (state[0].to("neuron:0"), state[1].to("neuron:0"))
    for chunk in sound.split(5, 1):
        found, there = model(chunk.to("neuron:0"), there)
        with torch.no_grad():
            expected, state = plain(chunk, state)
        assert there[0].device == torch.device("neuron:0")
        comparing.same((found, there), (expected, state))
    return comparing.cores(model)
