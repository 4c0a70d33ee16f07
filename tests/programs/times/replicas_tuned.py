"""Source: AWS's DataParallel tuning guide: throughput by the number of cores.
Shows: with time as an option rows on twice as many cores keep each of them busy for half as long.
"""

import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing, lasting

CORES: list[str] = ["0", "1", "2", "3"]


def main(directory: pathlib.Path) -> list[str]:
    """Serve twelve rows on one, two and four cores, and compare what the busiest core had to do."""
    assert directory.is_dir()
    traced = torch_neuronx.trace(neuron_models.Small(), neuron_models.example(1))
    rows = neuron_models.example(12)
    expected = torch.cat([neuron_models.Small()(row) for row in rows.split(1)])
    busiest = []
    for count in (1, 2, 4):
        parallel = torch_neuronx.DataParallel(traced, device_ids=list(range(count)))
        with lasting.measured(count) as cores:
            comparing.same(parallel(rows), expected)
        busiest.append(max(cores))
    one, two, four = busiest
    assert (one, two) == (2 * two, 2 * four), busiest
    return comparing.cores(parallel)
