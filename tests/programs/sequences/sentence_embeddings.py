"""Source: sentence-transformers on Inferentia: pooling inside, batches over cores.
Shows: dicts by name through DataParallel, sorted by length and put back.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2", "3"]


class Embedded(torch.nn.Module):
    """The mean over the words that are there."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = neuron_networks.Encoder()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        states = self.encoder(input_ids, attention_mask)["last_hidden_state"]
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        return {"sentence_embedding": (states * mask).sum(1) / mask.sum(1)}


def main(directory: pathlib.Path) -> list[str]:
    """Eight sentences over four cores."""
    ids, mask = neuron_networks.sentences(2)
    torch_neuronx.trace(Embedded().eval(), (ids, mask)).save(str(directory / "embedded.pt"))
    model = torch_neuronx.DataParallel(neuron_models.jit_load(directory / "embedded.pt"), [0, 1, 2, 3])
    ids, mask = neuron_networks.sentences(8)
    order = mask.sum(1).argsort(stable=True)
    found = model(input_ids=ids[order], attention_mask=mask[order])["sentence_embedding"][order.argsort()]
    plain = Embedded().eval()
    with torch.no_grad():
        pairs = [plain(ids[pair], mask[pair])["sentence_embedding"] for pair in order.split(2)]
    comparing.same(found, torch.cat(pairs)[order.argsort()])
    return comparing.cores(model)
