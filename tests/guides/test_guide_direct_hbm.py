"""Every example of AWS's guide to tensors allocated directly in HBM, by section."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_networks, neuron_processes
from neuronspan_runtime.device import device_module
from neuronspan_runtime.models import batches


class Sum(torch.nn.Module):
    """Two inputs, one output."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + 2 * second


class Pair(torch.nn.Module):
    """Two inputs, two outputs."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return first + second, first - second


def image_model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 7, stride=4), torch.nn.ReLU(), torch.nn.Flatten()).eval()


def random_tensor_on_the_device() -> tuple[str, str, bool]:
    tensor = torch.rand([1, 3, 224, 224], device="neuron:0")
    return repr(tensor.device), str((tensor + 1).device), bool((tensor.cpu() < 1).all())


def test_hbm_overview_a_tensor_made_on_the_device_stays_there(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, random_tensor_on_the_device) == (
        "device(type='neuron', index=0)",
        "neuron:0",
        True,
    )


def both_names() -> tuple[str, str, bool, int]:
    by_name = torch.ones(4, device="neuron:0")
    by_key = torch.ones(4, device="privateuseone:0")
    return (
        str(by_key.device),
        str((by_name + by_key).device),
        by_name.device == by_key.device,
        device_module.device_count(),
    )


def test_hbm_overview_neuron_and_privateuseone_are_one_device(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, both_names) == ("neuron:0", "neuron:0", True, 8)


def single_input() -> tuple[str, bool]:
    model, image = image_model(), torch.rand([1, 3, 224, 224])
    traced_model = torch_neuronx.trace(model, image)
    torch_neuronx.move_trace_to_device(traced_model, 0)
    output = traced_model(image.to("neuron:0"))
    with torch.no_grad():
        return repr(output.device), torch.equal(output.cpu(), model(image))


def two_inputs(number: int, first: str, second: str) -> list[str]:
    model = Sum() if number == 1 else Pair()
    inputs = (torch.rand([2, 2]), torch.rand([2, 2]))
    traced_model = torch_neuronx.trace(model, inputs)
    torch_neuronx.move_trace_to_device(traced_model, 0)
    outputs: Any = traced_model(inputs[0].to(first), inputs[1].to(second))
    expected: Any = model(*inputs)
    pairs = list(zip(outputs, expected, strict=True)) if isinstance(expected, tuple) else [(outputs, expected)]
    assert all(torch.equal(output.cpu(), reference) for output, reference in pairs)
    return [str(output.device) for output, _ in pairs]


def test_hbm_basic_usage_single_input(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, single_input) == ("device(type='neuron', index=0)", True)


@pytest.mark.parametrize(
    ("first", "second", "outputs"),
    [
        pytest.param("neuron:0", "neuron:0", "neuron:0", id="Basic Usage - Multiple inputs"),
        pytest.param("neuron:0", "cpu", "cpu", id="Mixed Device Inputs"),
        pytest.param("cpu", "neuron:0", "cpu", id="Mixed Device Inputs, the other way round"),
        pytest.param("cpu", "cpu", "cpu", id="no input on the device"),
    ],
)
@pytest.mark.parametrize("number", [1, 2], ids=["one output", "two outputs"])
def test_hbm_all_outputs_stay_or_all_go_to_the_cpu(
    number: int,
    first: str,
    second: str,
    outputs: str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, two_inputs, number, first, second) == [outputs] * number


def between_host_and_device(core: int) -> int:
    """Return the bytes that were copied between the CPU and the core so far."""
    stats = device_module.memory_stats(core)
    return int(stats["device_to_host_bytes"] + stats["host_to_device_bytes"])


def chain() -> tuple[list[str], bool, int]:
    torch.manual_seed(0)
    first, second = torch.nn.Linear(256, 64).eval(), torch.nn.Linear(64, 8).eval()
    traced_model1 = torch_neuronx.trace(first, torch.rand([1, 256]))
    traced_model2 = torch_neuronx.trace(second, torch.rand([1, 64]))
    for traced in (traced_model1, traced_model2):
        torch_neuronx.move_trace_to_device(traced, 0)
    input_data = torch.rand([1, 256], device="neuron:0")
    before = between_host_and_device(0)
    intermediate = traced_model1(input_data)
    final_output = traced_model2(intermediate)
    copied = between_host_and_device(0) - before
    with torch.no_grad():
        correct = torch.equal(final_output.cpu(), second(first(input_data.cpu())))
    return [str(intermediate.device), str(final_output.device)], correct, copied


def test_hbm_efficient_model_chaining_never_leaves_the_device(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, chain) == (["neuron:0", "neuron:0"], True, 0)


def beyond_the_limit() -> tuple[str, int]:
    _, total = device_module.mem_get_info(0)
    try:
        torch.empty(total + 1, dtype=torch.uint8, device="neuron:0")
    except RuntimeError as error:
        return str(error), device_module.memory_allocated(0)
    raise AssertionError("a tensor larger than the core's HBM was made")


def test_hbm_best_practices_the_limit_of_hbm_is_enforced(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURONSPAN_INSTANCE_TYPE": "trn1.32xlarge"}
    text, allocated = processes.run(variables, beyond_the_limit)
    assert 'nrt_tensor_allocate status=4 message="Allocation Failure"' in text
    assert allocated == 0


def wrong_core() -> None:
    traced = torch_neuronx.trace(Sum(), (torch.rand(2), torch.rand(2)))
    torch_neuronx.set_neuron_cores(traced, 3, 1)
    traced(torch.rand(2, device="neuron:0"), torch.rand(2, device="neuron:0"))


def test_hbm_input_on_another_core_than_the_model_is_refused(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    with pytest.raises(neuron_processes.ScenarioFailed) as caught:
        processes.run(machine, wrong_core)
    assert caught.value.kind == "RuntimeError"
    assert "Tensor input0 allocated on vnc 0 must be allocated on same vnc as model (3)" in caught.value.text


def dispatched() -> tuple[list[str], str, int]:
    """Make, move, add and multiply; return where the results are, the backend's name and the bytes on the core."""
    one = torch.rand([256, 256], device="neuron:0")
    other = torch.rand([256, 256]).to("privateuseone:0")
    made = [one, other, one + other, torch.matmul(one, other)]
    backend_name: Callable[[], str] = vars(torch._C)["_get_privateuse1_backend_name"]
    return [str(tensor.device) for tensor in made], backend_name(), device_module.memory_allocated(0)


def test_hbm_background_operators_and_allocations_are_dispatched_to_the_device(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, dispatched) == (["neuron:0"] * 4, "neuron", 4 * 256 * 256 * 4)


def capacity() -> list[int]:
    return [device_module.get_device_properties(core).total_memory for core in range(device_module.device_count())]


@pytest.mark.parametrize(
    ("instance_type", "cores_per_chip", "gib_per_chip"), [("trn1.2xlarge", 2, 32), ("trn2.3xlarge", 4, 96)]
)
def test_hbm_why_this_matters_the_cores_of_a_chip_share_its_hbm(
    instance_type: str,
    cores_per_chip: int,
    gib_per_chip: int,
    processes: neuron_processes.Parent,
    tmp_path: pathlib.Path,
) -> None:
    variables = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": instance_type}
    found = processes.run(variables, capacity)
    missing = gib_per_chip * 2**30 - sum(found)
    assert len(found) == cores_per_chip
    assert missing == cores_per_chip * 16 * 2**20  # what the driver keeps of each stack


def watched() -> list[int]:
    """Make tensors and let them go; return the bytes in use at each point."""
    seen = [device_module.memory_allocated(0)]
    first = torch.zeros([1024, 1024], device="neuron:0")
    seen.append(device_module.memory_allocated(0))
    second = first.clone()
    seen.append(device_module.memory_allocated(0))
    del first, second
    return [*seen, device_module.memory_allocated(0)]


def test_hbm_best_practices_usage_can_be_watched(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, watched) == [0, 4 << 20, 8 << 20, 0]


def moved_trace(core: int) -> tuple[str, bool]:
    model, image = image_model(), torch.rand([1, 3, 224, 224])
    traced_model = torch_neuronx.trace(model, image)
    torch_neuronx.move_trace_to_device(traced_model, core)
    output = traced_model(image.to(f"neuron:{core}"))
    with torch.no_grad():
        return str(output.device), torch.equal(output.cpu(), model(image))


@pytest.mark.parametrize("core", [0, 3])
def test_hbm_compatibility_outputs_stay_on_the_core_the_trace_was_moved_to(
    core: int, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, moved_trace, core) == (f"neuron:{core}", True)


Case = tuple[Callable[..., Any], tuple[torch.Tensor, ...], dict[str, Any]]


def kinds_of_traces() -> dict[str, Case]:
    """Everything that torch_neuronx.trace takes: a function and a module, containers, and its options."""
    linear = torch.nn.Linear(4, 4).eval()
    row = (torch.rand(2, 4),)
    generator = neuron_networks.Generator()
    states = {generator.keys: 1, generator.position: 2}
    return {
        "function": (torch.tanh, row, {}),
        "module": (linear, row, {}),
        "tuple of outputs": (Pair(), (torch.rand(2, 2), torch.rand(2, 2)), {}),
        "dict of outputs": (neuron_networks.Encoder(), neuron_networks.sentences(), {}),
        "weights outside": (linear, row, {"inline_weights_to_neff": False}),
        "states": (generator, (torch.tensor([3]),), {"input_output_aliases": states}),
        "partitioner without anything to cut": (linear, row, {"partitioner_config": torch_neuronx.PartitionerConfig()}),
    }


def every_kind() -> dict[str, set[str]]:
    """Trace each kind, move it, call it with tensors on the device and then with one on the CPU."""
    found = {}
    for name, (function, inputs, options) in kinds_of_traces().items():
        traced: Any = torch_neuronx.trace(function, inputs, **options)
        torch_neuronx.move_trace_to_device(traced, 0)
        there = traced(*(one.to("neuron:0") for one in inputs))
        mixed = traced(*(one.to("neuron:0") for one in inputs[:-1]), inputs[-1])
        leaves = [list(batches.tensors_in(result)) for result in (there, mixed)]
        found[name] = {" ".join(sorted({str(leaf.device) for leaf in result})) for result in leaves}
    return found


def test_hbm_compatibility_every_kind_of_trace_keeps_its_outputs_on_the_device_or_returns_all_of_them(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    found = processes.run(machine, every_kind)
    assert len(found) == 7
    assert {name for name, devices in found.items() if devices != {"neuron:0", "cpu"}} == set()
