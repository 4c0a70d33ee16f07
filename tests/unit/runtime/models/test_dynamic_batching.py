"""Dynamic batching: any number of rows, computed in calls of the traced size, to the bit."""

import pathlib
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes

ROWS = [0, 1, 2, 3, 4, 7]


def results(rows: int, device: str) -> list[tuple[bool, str]]:
    """Call networks compiled for two rows with another number of them."""
    found = []
    cases: list[tuple[torch.nn.Module, tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]] = [
        (neuron_networks.Convolutions(), (neuron_networks.images(),), (neuron_networks.images(rows),)),
        (neuron_networks.Encoder(), neuron_networks.sentences(), neuron_networks.sentences(rows)),
    ]
    for module, example, inputs in cases:
        traced: Any = torch_neuronx.trace(module, example)
        assert torch_neuronx.dynamic_batch(traced) is traced
        torch_neuronx.set_neuron_cores(traced, 0)
        result = traced(*(one.to(device) for one in inputs))
        wanted = neuron_networks.in_pieces(module, 2, *inputs) if rows else traced(*(one[:0] for one in inputs))
        one = result["pooler_output"] if isinstance(result, dict) else result
        found.append((neuron_networks.same(result, wanted) and len(one) == rows, str(one.device)))
    return found


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("device", ["cpu", "neuron:0"])
def test_dynamic_batch_takes_any_number_of_rows_and_keeps_outputs_on_the_device(
    rows: int, device: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, results, rows, device) == [(True, device)] * 2


def mixed_devices() -> str:
    traced: Any = torch_neuronx.dynamic_batch(
        torch_neuronx.trace(neuron_networks.Encoder(), neuron_networks.sentences())
    )
    torch_neuronx.move_trace_to_device(traced, 0)
    ids, mask = neuron_networks.sentences(3)
    return str(traced(ids.to("neuron:0"), mask)["pooler_output"].device)


def test_one_input_on_the_cpu_sends_a_dynamic_batch_to_the_cpu(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, mixed_devices) == "cpu"


def saved_with_switch(path: str, enable: bool) -> None:
    traced = torch_neuronx.dynamic_batch(torch_neuronx.trace(neuron_networks.Convolutions(), neuron_networks.images()))
    torch_neuronx.dynamic_batch(traced, enable).save(path)


def loaded_takes(path: str, rows: int) -> bool:
    loaded = neuron_models.jit_load(path)
    images = neuron_networks.images(rows)
    return neuron_networks.same(loaded(images), neuron_networks.in_pieces(neuron_networks.Convolutions(), 2, images))


def test_switch_travels_in_the_file(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    on, off = str(tmp_path / "on.pt"), str(tmp_path / "off.pt")
    processes.run(machine, saved_with_switch, on, True)
    processes.run(machine, saved_with_switch, off, False)
    assert processes.run(machine, loaded_takes, on, 5)
    assert processes.run(machine, loaded_takes, off, 2)
    with pytest.raises(neuron_processes.ScenarioFailed, match="Incorrect tensor shape at input tensor #0") as raised:
        processes.run(machine, loaded_takes, off, 5)
    assert raised.value.kind == "RuntimeError"


class Swapped(torch.nn.Module):
    """Has no batch in dim 0 of its output."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.t().contiguous()


def refusals() -> list[str]:
    """Switch it on for models that cannot, and call one that can in wrong ways; return the errors."""

    def add(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second

    single, pair, number = torch.ones(1, 3), torch.ones(2, 3), torch.tensor(1.0)
    found = []
    for example in [(pair, single), (pair, number), (torch.ones(0, 3), torch.ones(0, 3))]:
        traced: Any = torch_neuronx.trace(add, example)
        with pytest.raises(RuntimeError) as raised:
            torch_neuronx.dynamic_batch(traced)
        assert not traced.neuron_model.dynamic_batch()
        found.append(str(raised.value).splitlines()[0])
    able: Any = torch_neuronx.dynamic_batch(torch_neuronx.trace(add, (pair, pair)))
    for arguments in [(pair, single), (torch.ones(3, 4), torch.ones(3, 4))]:
        with pytest.raises(RuntimeError) as raised:
            able(*arguments)
        found.append(str(raised.value).strip().splitlines()[-1])
    with pytest.raises(
        ValueError, match=r"expected Float \[batch, 3\]"
    ):  # TorchScript makes RuntimeErrors of all errors
        torch.ops.neuron.forward_v2([torch.ones(3, 4)] * 2, able.neuron_model)
    swapped: Any = torch_neuronx.dynamic_batch(torch_neuronx.trace(Swapped(), pair))
    assert swapped(pair).shape == (3, 2)
    with pytest.raises(RuntimeError) as raised:
        swapped(torch.ones(4, 3))
    return [*found, str(raised.value).strip().splitlines()[-1]]


def test_dynamic_batch_says_why_it_cannot(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    traced_for = "Inconsistent batch sizes found on inputs: first was traced with 2, second with 1"
    needs = "dynamic batching needs the batch in dim 0 of every input, but"
    assert processes.run(machine, refusals) == [
        traced_for,
        f"{needs} second is Float []",
        f"{needs} first is Float [0, 3]",
        "RuntimeError: Inconsistent batch sizes found on inputs: first has 2, second has 1",
        (
            "RuntimeError: Incorrect tensor shape at input tensor #0 (first): received Float [3, 4], expected Float "
            "[batch, 3]. A compiled model takes the shapes it was traced with, and with dynamic batching any dim 0"
        ),
        (
            "RuntimeError: dynamic batching needs the batch in dim 0 of every output, but output 0 of a run of 2 rows "
            "is [3, 2]"
        ),
    ]


def plain_module() -> bool:
    plain = torch.nn.Linear(2, 2)
    return torch_neuronx.dynamic_batch(plain) is plain


def test_dynamic_batch_returns_a_module_without_neuron_models_as_it_is(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, plain_module)


def traced_around() -> bool:
    """Trace a program that calls a dynamic model: the call is one step of it, for any number of rows."""
    traced: Any = torch_neuronx.dynamic_batch(torch_neuronx.trace(neuron_models.Small(), neuron_models.example(2)))
    outer = neuron_networks.jit_trace(torch.nn.Sequential(traced, torch.nn.Tanh()), neuron_models.example(3))
    rows = neuron_models.example(5)
    return neuron_networks.same(outer(rows), torch.tanh(traced(rows)))


def test_dynamic_model_can_be_part_of_a_traced_program(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, traced_around)
