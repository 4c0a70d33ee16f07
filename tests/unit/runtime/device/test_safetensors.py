"""safetensors and the device: it does not know its name, and what programs do instead.

`accelerator.load_state` hands the name of its device to `safetensors.torch.load_model` in several processes, and "cpu"
when it is called with `map_location="cpu"` (accelerate 1.15, checkpointing.py).
"""

import pathlib
from typing import Any

import pytest
import safetensors
import torch
from safetensors import torch as safe

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

FIRST = "neuron:0"


def saved(directory: pathlib.Path) -> tuple[torch.nn.Module, pathlib.Path]:
    """Weights of a module on the device, and the module with others."""
    module: Any = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)).to(FIRST)
    file = directory / "model.safetensors"
    safe.save_model(module, str(file))
    for parameter in module.parameters():
        parameter.detach().zero_()
    return module, file


def its_name_is_refused_and_changes_nothing(directory: pathlib.Path) -> None:
    module, file = saved(directory)
    before = device_module.memory_allocated(0)
    for device in (FIRST, "neuron", "privateuseone:0"):
        with pytest.raises(safetensors.SafetensorError, match=f"device {device} is invalid"):
            safe.load_model(module, str(file), device=device)
        with pytest.raises(safetensors.SafetensorError, match=f"device {device} is invalid"):
            safe.load_file(file, device=device)
    assert all(parameter.sum().item() == 0 for parameter in module.parameters())
    assert device_module.memory_allocated(0) == before


def weights_are_read_on_the_cpu_and_go_to_where_the_module_is(directory: pathlib.Path) -> None:
    module, file = saved(directory)
    missing, unexpected = safe.load_model(module, str(file), device="cpu")
    assert (list(missing), list(unexpected)) == ([], [])
    for name, value in safe.load_file(file).items():
        there = module.get_parameter(name)
        assert there.device == torch.device(FIRST)
        assert torch.equal(there.cpu(), value)
        assert value.abs().sum() > 0


@pytest.mark.parametrize(
    "scenario", [its_name_is_refused_and_changes_nothing, weights_are_read_on_the_cpu_and_go_to_where_the_module_is]
)
def test_safetensors(
    scenario: Any, processes: neuron_processes.Parent, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    processes.run(machine, scenario, tmp_path)
