"""Models cut between NeuronCores and the CPU: results to the bit, what goes where, limits, save and load."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors
from neuronspan_runtime.compiling import trace_api
from neuronspan_runtime.compiling.partitions import configuration
from neuronspan_runtime.models import model


class Sorted(torch.nn.Module):
    """Two linear layers with a sort in between, which no compiler takes."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
        self.relu = torch.nn.ReLU(inplace=True)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))

    def forward(self, values: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        hidden = self.relu(self.first(values))
        ordered, places = torch.sort(hidden.view(hidden.size(0) * 2, -1))
        low, high = ordered.chunk(2, 1)
        return {"out": self.second(ordered.reshape(-1, 4)) + bias, "places": places, "sum": low + high, "in": values}


INPUTS = (torch.linspace(-1, 1, 8).reshape(2, 4), torch.arange(4.0))


def kinds_of(traced: torch.nn.Module) -> int:
    """How many parts are compiled."""
    return len(list(model.models_of(traced)))


def same(traced: Callable[..., Any], module: torch.nn.Module, *inputs: torch.Tensor) -> bool:
    with torch.no_grad():
        expected, found = module(*inputs), traced(*inputs)
    pairs = [(found[key], expected[key]) for key in expected] if isinstance(expected, dict) else [(found, expected)]
    return all(torch.equal(one, other) for one, other in pairs)


def a_partitioned_model_computes_the_same_and_travels() -> None:
    module = Sorted().eval()
    traced = torch_neuronx.trace(module, INPUTS, partitioner_config=configuration.PartitionerConfig())
    assert kinds_of(traced) == 2
    assert same(traced, module, *INPUTS)
    stored = io.BytesIO()
    torch.jit.save(traced, stored)
    stored.seek(0)
    del traced
    loaded = neuron_models.jit_load(stored)
    assert same(loaded, module, *INPUTS)
    assert same(loaded, module, INPUTS[0] * 3, INPUTS[1] - 7)
    assert [str(span) for span in neuronspan_runtime.placement(loaded)] == ["0", "1"]
    torch_neuronx.set_neuron_cores(loaded, 5, 1)
    assert [str(span) for span in neuronspan_runtime.placement(loaded)] == ["5", "5"]
    assert same(loaded, module, *INPUTS)


def a_part_on_the_cpu_brings_the_outputs_there() -> None:
    traced = torch_neuronx.trace(Sorted().eval(), INPUTS, partitioner_config=configuration.PartitionerConfig())
    torch_neuronx.move_trace_to_device(traced, 0)
    outputs = traced(*(value.to("neuron:0") for value in INPUTS))
    assert outputs["out"].device.type == "cpu"
    assert same(lambda *x: traced(*(value.to("neuron:0") for value in x)) | {"in": x[0]}, Sorted().eval(), *INPUTS)


def operators_are_left_out_on_request() -> None:
    small = neuron_models.Small().eval()
    config = configuration.PartitionerConfig(ops_to_partition={"aten::relu"})
    traced = torch_neuronx.trace(small, neuron_models.example(), partitioner_config=config)
    assert kinds_of(traced) == 4
    assert same(traced, small, neuron_models.example())
    whole = torch_neuronx.trace(small, neuron_models.example(), partitioner_config=configuration.PartitionerConfig())
    assert kinds_of(whole) == 1


def random_numbers_are_drawn_in_the_models_order() -> None:
    def noisy(values: torch.Tensor) -> torch.Tensor:
        return torch.rand_like(values) + torch.sort(values)[0] * torch.rand_like(values)

    traced = torch_neuronx.trace(noisy, INPUTS[0], partitioner_config=configuration.PartitionerConfig())
    torch.manual_seed(3)
    expected = noisy(INPUTS[0])
    torch.manual_seed(3)
    assert torch.equal(traced(INPUTS[0]), expected)


def changes_in_place_stay_inside_one_part() -> None:
    def overwritten(values: torch.Tensor) -> torch.Tensor:
        doubled = values * 2
        doubled[:, 0] = torch.sort(values)[0][:, 1]
        return doubled + 1

    traced = torch_neuronx.trace(overwritten, INPUTS[0], partitioner_config=configuration.PartitionerConfig())
    assert kinds_of(traced) > 0
    assert torch.equal(traced(INPUTS[0]), overwritten(INPUTS[0]))


def inferentia_leaves_unsupported_operators_to_the_cpu() -> None:
    module = Sorted().eval()
    traced = torch_neuron.trace(module, INPUTS)
    assert kinds_of(traced) == 2
    assert same(traced, module, *INPUTS)
    try:
        trace_api.trace_for_inferentia(module, INPUTS, fallback=False)
    except AttributeError as error:
        assert "aten::sort" in str(error)  # noqa: PT017 - in a scenario, not in a test
    else:
        raise AssertionError("compiled what is not supported")


def a_function_chooses_what_is_compiled() -> None:
    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(1, 1, 3)

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            values = self.conv(values)
            return values + 1

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Layer()

        def forward(self, values: torch.Tensor) -> torch.Tensor:
            values = self.layer(values)
            return values * 100

    module, image, seen = Whole().eval(), torch.rand(1, 1, 5, 5), []

    def builder(node: Any) -> bool:
        seen.append((node.kind, node.name, node.scope))
        return "Layer" in node.name

    traced = trace_api.trace_for_inferentia(module, image, subgraph_builder_function=builder)
    assert seen == [
        ("aten::_convolution", ("Whole", "Layer", "Conv2d"), "layer.conv"),
        ("aten::add", ("Whole", "Layer"), "layer"),
        ("aten::mul", ("Whole",), ""),
    ]
    assert kinds_of(traced) == 1
    assert same(traced, module, image)
    everything_on_the_cpu = trace_api.trace_for_inferentia(module, image, minimum_segment_size=4)
    assert kinds_of(everything_on_the_cpu) == 0
    assert same(everything_on_the_cpu, module, image)
    listed = trace_api.trace_for_inferentia(module, image, op_whitelist=["aten::_convolution", "aten::add"])
    assert kinds_of(listed) == 1


def inferentia_takes_any_number_of_rows_and_keeps_weights_outside() -> None:
    small, rows = neuron_models.Small().eval(), neuron_models.example(5)
    trace: Callable[..., Any] = trace_api.trace_for_inferentia
    traced = trace(small, neuron_models.example(), dynamic_batch_size=True)
    assert same(traced, small, rows)
    outside = trace(small, neuron_models.example(), separate_weights=True)
    assert same(outside, small, neuron_models.example())
    torch_neuronx.replace_weights(outside, neuron_models.Small(7))
    assert same(outside, neuron_models.Small(7), neuron_models.example())


@pytest.mark.parametrize(
    "scenario",
    [
        inferentia_takes_any_number_of_rows_and_keeps_weights_outside,
        a_partitioned_model_computes_the_same_and_travels,
        a_part_on_the_cpu_brings_the_outputs_there,
        operators_are_left_out_on_request,
        random_numbers_are_drawn_in_the_models_order,
        changes_in_place_stay_inside_one_part,
        inferentia_leaves_unsupported_operators_to_the_cpu,
        a_function_chooses_what_is_compiled,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_partitioning(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"model_support_percentage_threshold": 1.0}, "operators are supported", id="too few supported"),
        pytest.param({"max_subgraph_count": 2}, "has 3 subgraphs, max_subgraph_count=2", id="too many parts"),
        pytest.param({"min_subgraph_size": 2}, "has 1 operators, min_subgraph_size=2", id="too small a part"),
    ],
)
def test_partitioner_refuses_a_model_beyond_its_limits(options: dict[str, Any], message: str) -> None:
    config = configuration.PartitionerConfig(**options)
    with pytest.raises(ValueError, match=message):
        trace_api.trace_for_trainium(Sorted().eval(), INPUTS, partitioner_config=config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_support_percentage_threshold": 1.5}, "is not from 0 to 1"),
        ({"min_subgraph_size": 0}, "min_subgraph_size=0 is neither -1 nor at least 1"),
        ({"max_subgraph_count": -2}, "max_subgraph_count=-2 is neither"),
        ({"analyze_parameters": {"cleanup": True}}, "analyze_parameters cleanup are not for the partitioner"),
    ],
)
def test_partitioner_config_refuses_what_no_model_satisfies(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        configuration.PartitionerConfig(**options)


def overwritten_in_between(values: torch.Tensor) -> torch.Tensor:
    doubled = values * 2
    doubled[:, 0] = torch.sort(doubled)[0][:, 1]
    return torch.sort(doubled)[0] + doubled


def test_change_in_place_that_two_parts_must_see_is_refused() -> None:
    config = configuration.PartitionerConfig()
    with pytest.raises(errors.TraceRefused, match="Does it change tensors in place"):
        trace_api.trace_for_trainium(overwritten_in_between, INPUTS[0], partitioner_config=config)
