"""Source: AWS's T5 and GPT tutorials with input_output_aliases.
Shows: keys of earlier words stay on the core from call to call.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["1"]


class Cached(torch.nn.Module):
    """Writes the key of this word into its place and attends to all."""

    keys: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(20, 8)
        self.register_buffer("keys", torch.zeros(6, 8))

    def forward(self, word: torch.Tensor, position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        place = (torch.arange(6) == position).float().unsqueeze(1)
        keys = self.keys * (1 - place) + self.words(word) * place
        return torch.softmax(keys @ self.words(word)[0], 0) @ keys, keys


def main(directory: pathlib.Path) -> list[str]:
    """Compare with a plain model whose buffer is set by hand."""
    plain, module = (comparing.seeded(Cached) for _ in range(2))
    assert isinstance(plain, Cached)
    assert isinstance(module, Cached)
    example = (torch.zeros(1, dtype=torch.int64), torch.tensor(0))
    torch_neuronx.trace(module, example, input_output_aliases={module.keys: 1}).save(str(directory / "cached.pt"))
    model = neuron_models.jit_load(directory / "cached.pt")
    torch_neuronx.move_trace_to_device(model, 1)
    for position, word in enumerate((4, 9, 1, 1, 16, 3)):
        given = (torch.tensor([word]), torch.tensor(position))
        with torch.no_grad():
            expected, keys = plain(*given)
            plain.keys.copy_(keys)
        comparing.same(model(*given), expected)
    return comparing.cores(model)
