"""Loading a model and letting it go, over and over."""

import pathlib
import tempfile

import torch

import torch_neuronx
from performance import models, sampling

CYCLES = 10_000
SETTLED = 2_000
"""Cycles after which allocators have what they need."""


def measure() -> sampling.Samples:
    """What is left charged and counted afterwards, and how far resident memory grew once it had settled."""
    module, example = models.small()
    with tempfile.TemporaryDirectory() as directory:
        path = str(pathlib.Path(directory) / "model.pt")
        torch_neuronx.trace(module, example).save(path)
        for _ in range(SETTLED):
            models.jit_load(path)
        before = sampling.resident_bytes()
        for _ in range(CYCLES - SETTLED):
            models.jit_load(path)
        grown = sampling.resident_bytes() - before
    cores = range(torch.neuron.device_count())  # type: ignore[attr-defined]
    charged = sum(torch.neuron.memory_stats(core)["allocated_bytes"]["current"] for core in cores)  # type: ignore[attr-defined]
    return {"charged_bytes": [charged], "uses": [sum(torch.ops.neuron.core_usage())], "grown": [grown / 2**20]}
