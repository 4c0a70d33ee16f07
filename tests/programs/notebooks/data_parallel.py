"""Source: AWS's DataParallel tutorial, inf1 and inf2.
Shows: dynamic batching over cores, from one row to many.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2", "3"]


def main(directory: pathlib.Path) -> list[str]:
    """Spread batches of all sizes over four cores."""
    traced = torch_neuronx.trace(neuron_models.Small(), neuron_models.example(1))
    parallel = torch_neuronx.DataParallel(traced, device_ids=[0, 1, 2, 3])
    for rows in (4, 8, 3, 17):
        batch = neuron_models.example(rows)
        expected = torch.cat([neuron_models.Small()(row) for row in batch.split(1)])
        comparing.same(parallel(batch), expected)
    assert directory.is_dir()
    return comparing.cores(parallel)
