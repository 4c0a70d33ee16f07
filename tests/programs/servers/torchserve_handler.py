"""Source: TorchServe's BaseHandler, as AWS's sample handlers extend it.
Shows: initialize, preprocess, inference, postprocess, with padding to the traced batch.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Handler:
    """A handler of one worker."""

    batch = 4
    model: torch.jit.ScriptModule

    def initialize(self, properties: dict[str, str]) -> None:
        """Load the serialized file from the model's directory."""
        self.model = neuron_models.jit_load(pathlib.Path(properties["model_dir"]) / properties["serialized_file"])

    def preprocess(self, requests: list[dict[str, list[float]]]) -> tuple[torch.Tensor, int]:
        """Make a batch; fill it up."""
        rows = torch.tensor([request["body"] for request in requests])
        return torch.nn.functional.pad(rows, (0, 0, 0, self.batch - len(rows))), len(rows)

    def handle(self, requests: list[dict[str, list[float]]]) -> list[list[float]]:
        """Answer a batch of requests."""
        batch, used = self.preprocess(requests)
        found: list[list[float]] = self.model(batch)[:used].tolist()
        return found


def main(directory: pathlib.Path) -> list[str]:
    """Play the server with batches of one to four requests."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example(4)).save(str(directory / "model.pt"))
    handler = Handler()
    handler.initialize({"model_dir": str(directory), "serialized_file": "model.pt"})
    rows = neuron_models.example(4).tolist()
    for used in range(1, 5):
        found = handler.handle([{"body": row} for row in rows[:used]])
        filled = torch.tensor(rows[:used] + [[0.0] * neuron_models.WIDTH] * (4 - used))
        comparing.same(torch.tensor(found), neuron_models.Small()(filled)[:used])
    return comparing.cores(handler.model)
