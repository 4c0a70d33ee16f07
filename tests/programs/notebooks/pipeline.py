"""Source: AWS's NeuronCore Pipeline tutorial for BERT.
Shows: a model cut over four cores, in the file too.
"""

import pathlib

import torch_neuron
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0-3"]


def main(directory: pathlib.Path) -> list[str]:
    """Compile for four cores and load."""
    arguments = ["--neuroncore-pipeline-cores", "4"]
    traced = torch_neuron.trace(neuron_models.Small(), neuron_models.example(), compiler_args=arguments)
    traced.save(str(directory / "pipeline.pt"))
    model = neuron_models.jit_load(directory / "pipeline.pt")
    for rows in (neuron_models.example(), -neuron_models.example()):
        comparing.check(model(rows), neuron_models.Small, rows)
    return comparing.cores(model)
