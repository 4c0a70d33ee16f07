"""Source: AWS's core placement guide for torch-neuronx.
Shows: two models on cores of their own by contexts, and one moved later.
"""

import pathlib

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["2", "5", "6"]


def main(directory: pathlib.Path) -> list[str]:
    """Pin by contexts, then move the second one, with two replicas."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "small.pt"))
    with torch_neuronx.neuron_cores_context(start_nc=2):
        first = neuron_models.jit_load(directory / "small.pt")
    with torch_neuronx.neuron_cores_context(start_nc=3, nc_count=1):
        second = neuron_models.jit_load(directory / "small.pt")
    torch_neuronx.set_neuron_cores(second, start_nc=5, nc_count=2)
    for model in (first, second, second):
        comparing.check(model(neuron_models.example()), neuron_models.Small, neuron_models.example())
    return comparing.cores(first, second)
