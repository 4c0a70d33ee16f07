"""Source: AWS's API page of async_load and lazy_load.
Shows: models that are loaded at first use and in the background.
"""

import pathlib

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1"]


def main(directory: pathlib.Path) -> list[str]:
    """Save with each switch, load both, and use the lazy one first."""
    for name, switch in (("lazy", torch_neuronx.lazy_load), ("async", torch_neuronx.async_load)):
        traced = torch_neuronx.trace(neuron_models.Small(), neuron_models.example())
        switch(traced, True)
        traced.save(str(directory / f"{name}.pt"))
    lazy = neuron_models.jit_load(directory / "lazy.pt")
    assert comparing.cores(lazy) == []
    background = neuron_models.jit_load(directory / "async.pt")
    comparing.check(background(neuron_models.example()), neuron_models.Small, neuron_models.example())
    comparing.check(lazy(neuron_models.example()), neuron_models.Small, neuron_models.example())
    return comparing.cores(background, lazy)
