"""Models of deployed shapes, compiled, saved, loaded afresh, placed and replicated: the same bits as on the CPU."""

import importlib.util
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import deployed_models, neuron_models, neuron_processes

PACKAGES = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
CALLS = 3

needs_transformers = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="the transformers library is not installed"
)


def file_of(directory: pathlib.Path, package: str) -> str:
    return str(directory / f"{package}.pt")


def save(directory: pathlib.Path, name: str) -> None:
    """Save the model as each package compiles it, and as torch itself would."""
    deployed = deployed_models.made(name)
    record: Callable[..., torch.jit.ScriptModule] = torch.jit.trace
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's and transformers', of the models' own code and of torch.jit itself
        record(deployed.module, deployed.inputs, strict=False, check_trace=False).save(file_of(directory, "cpu"))
        for package, module in PACKAGES.items():
            trace: Callable[..., torch.jit.ScriptModule] = module.trace
            trace(deployed.module, deployed.inputs).save(file_of(directory, package))


def equal(found: Any, expected: Any) -> bool:
    """Whether both nest alike, by keys too, and hold the same bits."""
    if isinstance(expected, dict) and list(found) != list(expected):
        return False
    pairs = zip(deployed_models.leaves_of(found), deployed_models.leaves_of(expected), strict=True)
    return all(one.dtype == other.dtype and torch.equal(one.cpu(), other) for one, other in pairs)


def load(directory: pathlib.Path, name: str, package: str) -> list[list[str]]:
    """Load, place, replicate and run the model; return where it was each time."""
    inputs = deployed_models.made(name).inputs
    with torch.no_grad():
        expected = neuron_models.jit_load(file_of(directory, "cpu"))(*inputs)
    placements = []

    def check(loaded: torch.jit.ScriptModule, *given: torch.Tensor) -> None:
        assert [equal(loaded(*given), expected) for _ in range(CALLS)] == [True] * CALLS
        placements.append([str(span) for span in neuronspan_runtime.placement(loaded)])

    loaded = neuron_models.jit_load(file_of(directory, package))
    check(loaded, *inputs)
    torch_neuronx.set_neuron_cores(loaded, 5, 1)
    check(loaded, *inputs)
    check(loaded, *(value.to("neuron:5") for value in inputs))
    torch_neuronx.set_neuron_cores(loaded, 2, 3)
    check(loaded, *inputs)
    with torch_neuron.experimental.multicore_context():
        check(neuron_models.jit_load(file_of(directory, package)), *inputs)
    return placements


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[needs_transformers] if name in deployed_models.FROM_TRANSFORMERS else [])
        for name in deployed_models.MODELS
    ],
)
def test_deployed_model_is_bit_equal_wherever_it_runs(
    name: str, processes: neuron_processes.Parent, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    processes.run({}, save, tmp_path, name)
    for package in PACKAGES:
        assert processes.run(machine, load, tmp_path, name, package) == [
            ["0"], ["5"], ["5"], ["2", "3", "4"], [str(core) for core in range(8)],
        ]  # fmt: skip
