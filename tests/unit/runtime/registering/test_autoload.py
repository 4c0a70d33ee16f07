"""`import torch`, and nothing else: the entry points that torch looks for, as an installer writes them."""

import pathlib
import sys
import types

import pytest

from kits.device import neuron_programs
from neuronspan_runtime import environment
from neuronspan_runtime.registering import autoload

DEVICE = "import torch; print(torch.zeros(1, device='neuron'), torch.neuron.is_initialized())"
MODULE = """
import torch
import torch.neuron
from neuronspan_runtime.device import device_module
print(torch.neuron is device_module, torch.neuron.trace.__name__, torch.neuron.is_initialized())
"""
OURS_FIRST = """
import {first}
import torch
print(torch.ones(1, device="neuron").item())
"""
UNTOUCHED = """
import sys, torch
print(hasattr(torch, "neuron"), torch._C._get_privateuse1_backend_name(), "neuronspan_runtime" in sys.modules)
"""
WITHOUT_LIBRARY = """
import torch
print(hasattr(torch, "neuron"), (torch.ones(2, requires_grad=True) * 2).sum().backward())
"""
COMPILED = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU()).to("neuron")
given = torch.rand(2, 4, device="neuron")
compiled = torch.compile(model, backend="neuron")
compiled(given).sum().backward()
print("neuron" in torch._dynamo.list_backends(), torch.equal(compiled(given), model(given)), compiled(given).device)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory that makes our distribution look installed."""
    directory = tmp_path_factory.mktemp("installed")
    neuron_programs.install_entry_points(directory)
    return directory


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        pytest.param(DEVICE, "tensor([0.], device='neuron:0') True", id="a device's name is enough"),
        pytest.param(MODULE, "True trace_for_inferentia False", id="torch.neuron is there, with AWS's names"),
        pytest.param(OURS_FIRST.format(first="torch_neuronx"), "1.0", id="torch_neuronx imports torch"),
        pytest.param(OURS_FIRST.format(first="torch_neuron"), "1.0", id="torch_neuron imports torch"),
        pytest.param(
            OURS_FIRST.format(first="neuronspan_runtime.device.device_module, torch_neuron"), "1.0",
            id="a module of the runtime imports torch",
        ),
        pytest.param(COMPILED, "True True neuron:0", id="the compile backend is found"),
    ],
)  # fmt: skip
def test_torch_finds_the_device_by_itself(
    program: str, printed: str, installed: pathlib.Path, machine: dict[str, str]
) -> None:
    done = neuron_programs.run(machine, program, first=[installed])
    assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr


def test_torchs_own_switch_leaves_torch_as_it_is(installed: pathlib.Path, machine: dict[str, str]) -> None:
    done = neuron_programs.run(machine | {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}, UNTOUCHED, first=[installed])
    assert done.stdout == "False privateuseone False\n", done.stderr


def test_an_import_of_torch_survives_a_library_that_is_not_there(
    installed: pathlib.Path, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    missing = tmp_path / "missing.so"
    done = neuron_programs.run(
        machine | {environment.LIBRARY_ENV: str(missing)}, WITHOUT_LIBRARY, first=[installed], warnings=False
    )
    assert done.stdout == "False None\n", done.stderr
    assert f"torch has no device neuron: {environment.LIBRARY_ENV}={missing} does not exist" in done.stderr


def module(name: str, **contents: object) -> types.ModuleType:
    made = types.ModuleType(name)
    vars(made).update(contents)
    return made


def test_a_module_is_complete_once_its_package_has_it() -> None:
    part = module("torch_neuronx.contexts")
    complete = {"torch_neuronx": module("torch_neuronx", contexts=part), part.__name__: part}
    begun = {"torch_neuronx": module("torch_neuronx"), part.__name__: part}
    foreign = {"torch": module("torch"), "torch.half": module("torch.half")}
    assert [autoload.being_imported(modules) for modules in (complete, begun, foreign)] == [False, True, False]


def test_this_process_is_not_in_the_middle_of_an_import() -> None:
    assert not autoload.being_imported(sys.modules)
