"""Source: services that try a placement from their configuration.
Shows: a refused placement is an error in the log and nothing else: the model serves on.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["2"]


def main(directory: pathlib.Path) -> list[str]:
    """Try cores that are not there, in every way, and serve all the time."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    with torch_neuronx.neuron_cores_context(2):
        model = neuron_models.jit_load(directory / "model.pt")
    configured: dict[str, Any] = {"core": "neuron:1"}
    attempts: list[Callable[[], object]] = [
        lambda: torch_neuronx.move_trace_to_device(model, 64),
        lambda: torch_neuronx.set_neuron_cores(model, 7, 2),
        lambda: torch_neuronx.DataParallel(model, [0, 12]),
        lambda: torch_neuronx.set_neuron_cores(model, configured["core"]),
    ]
    refusals = []
    for attempt in attempts:
        try:
            attempt()
        except (RuntimeError, TypeError, ValueError) as error:
            refusals.append(str(error))
        comparing.check(model(neuron_models.example()), neuron_models.Small, neuron_models.example())
    assert len(refusals) == len(attempts)
    return comparing.cores(model)
