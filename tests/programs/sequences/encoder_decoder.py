"""Source: Whisper and T5 samples: encoder once, decoder many times.
Shows: states of the encoder handed to a decoder on another core through the host.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


class Encoder(torch.nn.Module):
    """Sound to states."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Conv1d(4, 16, 3, padding=1), torch.nn.GELU())

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        return self.layers(sound).transpose(1, 2)


class Decoder(torch.nn.Module):
    """Words so far and states to scores."""

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(20, 16)
        self.attention = torch.nn.MultiheadAttention(16, 2, batch_first=True)
        self.scores = torch.nn.Linear(16, 20)

    def forward(self, ids: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        seen, _ = self.attention(self.words(ids), states, states)
        return self.scores(seen)


def heard(encoder: torch.nn.Module, decoder: torch.nn.Module, sound: torch.Tensor) -> torch.Tensor:
    """Write down what is said."""
    states, ids = encoder(sound), torch.zeros(1, 5, dtype=torch.int64)
    for position in range(1, 5):
        ids[0, position] = decoder(ids, states)[0, position - 1].argmax()
    return ids


def main(directory: pathlib.Path) -> list[str]:
    """Two files, loaded on the least used cores."""
    sound = torch.rand(1, 4, 10, generator=torch.Generator().manual_seed(5))
    torch_neuronx.trace(comparing.seeded(Encoder), sound).save(str(directory / "encoder.pt"))
    example = (torch.zeros(1, 5, dtype=torch.int64), torch.zeros(1, 10, 16))
    torch_neuronx.trace(comparing.seeded(Decoder), example).save(str(directory / "decoder.pt"))
    encoder, decoder = (neuron_models.jit_load(directory / f"{name}.pt") for name in ("encoder", "decoder"))
    with torch.no_grad():
        comparing.same(
            heard(encoder, decoder, sound), heard(comparing.seeded(Encoder), comparing.seeded(Decoder), sound)
        )
    return comparing.cores(encoder, decoder)
