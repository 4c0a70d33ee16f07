"""Inputs that the model does not use: a warning in AWS's words when it is compiled, anything in their place then."""

import io
import warnings
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.compiling import torchscript, tracing
from neuronspan_runtime.compiling.recording import recorder, unused

PACKAGES: dict[str, Any] = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
FIRST, SECOND = torch.ones(2, 3), torch.arange(4)
TEXT = (
    "Received an input tensor that was unused. Tensor will be ignored. "
    "(index=1, shape=torch.Size([4]), dtype=torch.int64)"
)


def plain(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a + 1


def only_its_shape(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.expand(b.shape[0], *a.shape) * b.size(-1) + torch.zeros(b.size()).sum()


def computed_in_vain(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    _ = (b * 2).sum()
    return a + 1


FUNCTIONS = {each.__name__: each for each in (plain, only_its_shape, computed_in_vain)}
OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "torch_neuronx": ("torch_neuronx", {}),
    "outside": ("torch_neuronx", {"inline_weights_to_neff": False}),
    "torch_neuron": ("torch_neuron", {}),
    "partitioned": ("torch_neuron", {"op_whitelist": {"aten::mul"}, "minimum_segment_size": 1}),
}


def heard_and_ignored(mode: str, function: str) -> tuple[list[tuple[str, str, bool]], list[bool]]:
    """Compile, save and load; call with other shapes, types and devices in the place of the unused tensor."""
    package, options = OPTIONS[mode]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced: Any = PACKAGES[package].trace(FUNCTIONS[function], (FIRST, SECOND), **options)
    loaded = neuron_models.jit_load(io.BytesIO(traced.save_to_buffer()))
    expected = FUNCTIONS[function](FIRST, SECOND)
    others = [
        SECOND,
        torch.ones(7, 2),
        torch.tensor(True),
        torch.arange(9, device="neuron:3"),
        torch.eye(2).to_sparse(),
    ]
    heard = [(one.category.__name__, str(one.message), one.filename == __file__) for one in caught]
    return heard, [torch.equal(model(FIRST, other), expected) for model in (traced, loaded) for other in others]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("mode", OPTIONS)
def test_unused_input_is_warned_of_and_ignored(
    mode: str, function: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    heard, right = processes.run(machine, heard_and_ignored, mode, function)
    assert heard == [("UserWarning", TEXT, True)]
    assert right == [True] * 10


def device_of_the_others() -> tuple[str, str]:
    """Where outputs are is for the inputs that are used to say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        traced: Any = torch_neuronx.trace(plain, (FIRST, SECOND))
    return str(traced(FIRST.to("neuron:0"), SECOND).device), str(traced(FIRST, SECOND.to("neuron:0")).device)


def test_unused_input_does_not_say_where_outputs_are(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, device_of_the_others) == ("neuron:0", "cpu")


def in_a_dict() -> tuple[list[str], list[float], str]:
    """One of the tensors of a dict is not used, and may be missing; the shape of the others is checked as always."""

    def total(table: dict[str, torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
        return table["used"].sum() * scale

    table = {"used": FIRST, "unused": SECOND}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced: Any = torch_neuronx.trace(total, (table, torch.tensor(2.0)))
    with pytest.raises(RuntimeError) as refused:
        traced({"used": SECOND}, torch.tensor(2.0))
    results = [float(traced(given, torch.tensor(3.0))) for given in (table, {"used": FIRST})]
    return [str(one.message) for one in caught], results, str(refused.value)


def test_unused_tensor_of_a_dict_may_be_missing(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    texts, results, refused = processes.run(machine, in_a_dict)
    assert texts == [TEXT]
    assert results == [18.0, 18.0]
    assert (
        "Incorrect tensor type at input tensor #0 (table['used']): received Long [4], expected Float [2, 3]" in refused
    )


def batched() -> tuple[bool, bool]:
    """Dynamic batching needs one batch size of the inputs that count; nothing of a model without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        traced: Any = torch_neuronx.dynamic_batch(torch_neuronx.trace(plain, (FIRST, SECOND)))
        constant: Any = torch_neuronx.trace(only_constant, FIRST)
    rows = torch.rand(5, 3)
    return torch.equal(traced(rows, SECOND), rows + 1), torch.equal(constant(SECOND), torch.ones(2))


def only_constant(a: torch.Tensor) -> torch.Tensor:
    return torch.ones(2)


def test_unused_inputs_have_no_batch(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, batched) == (True, True)


class State(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.count: torch.Tensor

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ARG002 - as above
        return self.count + 0, self.count + 1


def counted() -> list[float]:
    model = State()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        traced: Any = torch_neuronx.trace(model, FIRST, input_output_aliases={model.count: 1})
    return [float(traced(other)) for other in (FIRST, SECOND, torch.tensor(0))]


def test_model_of_states_alone_takes_anything(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, counted) == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_settled_program_asks_an_unused_input_nothing(function: str) -> None:
    flat, leaves = tracing.flattened(FUNCTIONS[function], (FIRST, SECOND))
    recorded = recorder.recorded(flat, leaves)
    assert unused.settled(recorded, leaves) == {1}
    (expected,) = flat(FIRST, SECOND)
    (found,) = recorded(FIRST, torch.ones(7, 2))
    assert torch.equal(found, expected)
    (alone,) = torchscript.without_inputs(recorded, 2, {1})(FIRST)
    assert torch.equal(alone, expected)


class SizesInALoop(torch.nn.Module):
    def forward(self, values: torch.Tensor, shaped: torch.Tensor) -> torch.Tensor:
        total = 0
        for dimension in range(1):
            total += shaped.size(dimension)
        return values * total


def test_input_is_used_when_a_script_asks_for_its_sizes_one_by_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        flat, leaves = tracing.flattened(torch.jit.script(SizesInALoop()), (FIRST, SECOND))
    recorded = recorder.recorded(flat, leaves)
    assert unused.settled(recorded, leaves) == frozenset()
    (found,) = recorded(FIRST, SECOND)
    assert torch.equal(found, FIRST * 4)


def test_program_that_uses_all_of_its_inputs_stays_as_it_is() -> None:
    flat, leaves = tracing.flattened(torch.sub, (FIRST, FIRST))
    recorded = recorder.recorded(flat, leaves)
    before = str(recorded.graph)
    assert unused.settled(recorded, leaves) == frozenset()
    assert str(recorded.graph) == before
