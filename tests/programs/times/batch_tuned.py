"""Source: neuronperf sweeps over batch sizes, AWS's batching guide.
Shows: with time as an option a larger batch takes longer, but less for each of its rows.
"""

import pathlib

import torch

import torch_neuronx
from kits.programs import comparing, lasting

CORES: list[str] = ["0"]
WIDTH = 512


def make() -> torch.nn.Module:
    """Make two layers whose weights take longer to be read than a few rows take to be multiplied."""
    return torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.GELU(), torch.nn.Linear(WIDTH, WIDTH))


def main(directory: pathlib.Path) -> list[str]:
    """Trace for several batches, call each once, and find what a row takes."""
    assert directory.is_dir()
    each, models = [], []
    for rows in (1, 8, 64):
        values = torch.linspace(-1, 1, rows * WIDTH).reshape(rows, WIDTH)
        model = torch_neuronx.trace(comparing.seeded(make), values)
        torch_neuronx.set_neuron_cores(model, 0, 1)
        with lasting.measured(1) as cores:
            comparing.check(model(values), make, values)
        each.append(cores[0] / rows)
        models.append(model)
    assert each[0] > each[1] > each[2], each
    return comparing.cores(models[-1])
