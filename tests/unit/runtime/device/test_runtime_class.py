"""`torch.classes.neuron.Runtime`: the runtime under the names that AWS's package gives it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_models, neuron_processes, neuron_programs
from neuronspan_runtime.device import device_module, operators
from neuronspan_runtime.models import replicas

untyped: Any = torch_neuronx


def runtime() -> Any:
    return torch.classes.neuron.Runtime()


def the_tutorials_lines_place_models() -> None:
    made = runtime()
    made.initialize()
    assert device_module.is_initialized()
    made.set_default_neuron_cores(0, 1)
    assert (made.get_visible_nc_count(), runtime().get_default_start_nc(), runtime().get_default_nc_count()) == (
        8,
        0,
        1,
    )
    traced = untyped.trace(neuron_models.Small(), neuron_models.example())
    for _ in range(2):
        traced(neuron_models.example())
    assert [str(span) for span in replicas.placement(traced)] == ["0"]
    made.set_default_neuron_cores(5, -1)
    later = untyped.trace(neuron_models.Small(), neuron_models.example())
    later(neuron_models.example())
    assert [str(span) for span in replicas.placement(later)] == ["5"]


ASKED = """
import torch, torch_neuronx
made = torch.classes.neuron.Runtime()
print(made.get_nc_count(), made.get_instance_info(), torch.neuron.is_initialized())
"""


def test_asking_what_there_is_claims_nothing(machine: dict[str, str]) -> None:
    done = neuron_programs.run(machine, ASKED)
    assert done.stdout == "8 ['inf1', ''] False\n", done.stderr


def closing_gives_the_cores_back() -> None:
    made = runtime()
    made.unsafe_close()  # nothing to close
    made.initialize()
    kept = torch.ones(1, device="neuron")
    with pytest.raises(RuntimeError, match="cannot close the Neuron runtime: 1 tensor storages"):
        made.unsafe_close()
    assert kept.item() == 1
    del kept
    made.unsafe_close()
    assert not device_module.is_initialized()
    made.initialize()
    assert made.get_visible_nc_count() == 8


def loading_is_switched_off_and_on() -> None:
    runtime().disable()
    assert operators.set_loading(False) is False
    runtime().enable()
    assert operators.set_loading(True) is True


def cores_that_cannot_be_had_are_minus_one() -> None:
    assert runtime().get_visible_nc_count() == -1
    with pytest.raises(RuntimeError, match="PyTorch Neuron Runtime could not be initialized"):
        runtime().initialize()


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        (the_tutorials_lines_place_models, {}),
        (closing_gives_the_cores_back, {}),
        (loading_is_switched_off_and_on, {}),
        (cores_that_cannot_be_had_are_minus_one, {"NEURON_RT_NUM_CORES": "9"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_runtime_class(
    scenario: Callable[[], None],
    settings: dict[str, str],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    processes.run(machine | settings, scenario)
