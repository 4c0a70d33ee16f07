"""Modules that TorchScript made, and outputs that hold nothing."""

import io
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes

PACKAGES: dict[str, Any] = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
WEIGHTS = 4 * (neuron_models.WIDTH + 1) * neuron_models.WIDTH * 4  # bytes of Small


def made_by_torchscript(package: str) -> list[bool]:
    """Scripted, frozen, optimised and recorded modules, saved and loaded; their weights take HBM."""
    jit: Any = torch.jit
    kinds = [
        jit.script(neuron_models.Small()),
        jit.freeze(jit.script(neuron_models.Small())),
        jit.trace(neuron_models.Small(), neuron_models.example()),
        jit.freeze(jit.trace(neuron_models.Small(), neuron_models.example())),
        jit.optimize_for_inference(jit.freeze(jit.script(neuron_models.Small()))),
    ]
    with torch.no_grad():
        expected = neuron_models.Small()(neuron_models.example())
    found = []
    for kind in kinds:
        traced = PACKAGES[package].trace(kind, neuron_models.example())
        loaded: Any = neuron_models.jit_load(io.BytesIO(traced.save_to_buffer()))
        found.append(torch.equal(loaded(neuron_models.example()), expected) and loaded.neuron_model.nbytes() >= WEIGHTS)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_of_torchscript_are_compiled_and_their_weights_counted(
    package: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, made_by_torchscript, package) == [True] * 5


class Branching(torch.nn.Module):
    """What it does depends on the values: a scripted module keeps both ways."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if bool(values.sum() > 0):
            return values * 2
        return values - 1


def branches(package: str) -> list[bool]:
    script: Any = torch.jit.script
    traced = PACKAGES[package].trace(script(Branching()), torch.ones(3))
    return [torch.equal(traced(values), Branching()(values)) for values in (torch.ones(3), -torch.ones(3))]


@pytest.mark.parametrize("package", PACKAGES)
def test_branches_of_a_scripted_module_are_kept(
    package: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, branches, package) == [True, True]


def empty_outputs(package: str) -> list[Any]:
    """Empty tuples among inputs and outputs, saved and loaded."""

    def nested(values: torch.Tensor, nothing: tuple[()]) -> Any:
        return values + 1, nothing, [values, ((), values * 2)]

    traced = PACKAGES[package].trace(nested, (torch.ones(2), ()))
    loaded = neuron_models.jit_load(io.BytesIO(traced.save_to_buffer()))
    first, empty, (same, (also_empty, double)) = loaded(torch.ones(2), ())
    return [empty, also_empty, first.tolist(), same.tolist(), double.tolist()]


@pytest.mark.parametrize("package", PACKAGES)
def test_empty_tuples_are_kept(package: str, processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, empty_outputs, package) == [(), (), [2.0, 2.0], [1.0, 1.0], [2.0, 2.0]]
