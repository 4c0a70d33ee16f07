"""Source: Ray Serve deployments, one replica for each core.
Shows: objects that are called, routed in turn, each with its model on its core.
"""

import itertools
import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2"]


class Replica:
    """A deployment's class: made once for each replica, called for each request."""

    def __init__(self, file: pathlib.Path, core: int) -> None:
        with torch_neuronx.neuron_cores_context(core, 1):
            self.model = neuron_models.jit_load(file)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.model(values)
        return found


def main(directory: pathlib.Path) -> list[str]:
    """Route requests over three replicas."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    replicas = [Replica(directory / "model.pt", core) for core in range(3)]
    for number, replica in zip(range(12), itertools.cycle(replicas), strict=False):
        values = neuron_models.example() - number
        comparing.check(replica(values), neuron_models.Small, values)
    return comparing.cores(*(replica.model for replica in replicas))
