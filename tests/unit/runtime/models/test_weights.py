"""Weights outside the compiled code: the same numbers, replaceable, and moved only when asked."""

import pathlib
import warnings
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes
from neuronspan_runtime.models import weights

ops: Any = torch.ops.neuron


class Recurrent(torch.nn.Module):
    """An LSTM, which keeps a list of its weights beside its parameters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True)
        self.eval()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.lstm(values)[0]  # type: ignore[no-any-return]


class Tied(torch.nn.Module):
    """One weight under two names."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.words = torch.nn.Embedding(50, 8)
        self.head = torch.nn.Linear(8, 50, bias=False)
        self.head.weight = self.words.weight
        self.eval()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.words(tokens))  # type: ignore[no-any-return]


NETWORKS: dict[str, tuple[type[Any], tuple[torch.Tensor, ...]]] = {
    "Convolutions": (neuron_networks.Convolutions, (neuron_networks.images(),)),
    "Encoder": (neuron_networks.Encoder, neuron_networks.sentences()),
    "Recurrent": (Recurrent, (torch.linspace(-1, 1, 30).reshape(2, 5, 3),)),
    "Tied": (Tied, (torch.tensor([[1, 2], [3, 4]]),)),
}


def separate(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    return torch_neuronx.trace(module, inputs, inline_weights_to_neff=False)


def replaced(name: str, path: str) -> list[bool]:
    """Trace with weights outside, save; replace by a module and by a state dict, before and after placing."""
    kind, inputs = NETWORKS[name]
    original = kind(1)
    before = {key: value.clone() for key, value in original.state_dict().items()}
    traced = separate(original, inputs)
    untouched = all(torch.equal(before[key], value) for key, value in original.state_dict().items())
    inlined: Any = torch_neuronx.trace(original, inputs)
    results = [
        untouched,
        neuron_networks.same(traced(*inputs), neuron_networks.expected(original, *inputs)),
        neuron_networks.same(traced(*inputs), inlined(*inputs)),
    ]
    answer = torch_neuronx.replace_weights(traced, kind(2))  # type: ignore[func-returns-value]
    results += [answer is None, neuron_networks.same(traced(*inputs), neuron_networks.expected(kind(2), *inputs))]
    torch_neuronx.set_neuron_cores(traced, 3)
    torch_neuronx.replace_weights(traced, kind(3).state_dict())
    fresh: Any = torch_neuronx.trace(kind(3), inputs)
    results.append(neuron_networks.same(traced(*inputs), fresh(*inputs)))
    traced.save(path)
    return results


def loaded(name: str, path: str) -> list[bool]:
    """What was replaced is in the file; and it can be replaced in what was loaded."""
    kind, inputs = NETWORKS[name]
    model = neuron_models.jit_load(path)
    torch_neuronx.move_trace_to_device(model, 1)
    results = [neuron_networks.same(model(*inputs), neuron_networks.expected(kind(3), *inputs))]
    torch_neuronx.replace_weights(model, kind(4))
    return [*results, neuron_networks.same(model(*inputs), neuron_networks.expected(kind(4), *inputs))]


@pytest.mark.parametrize("name", NETWORKS)
def test_separate_weights_compute_the_same_and_can_be_replaced_also_in_a_file(
    name: str, tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    assert processes.run(machine, replaced, name, path) == [True] * 6
    assert processes.run(machine, loaded, name, path) == [True] * 2


def movements() -> list[Any]:
    """Where weights and outputs are: traced, loaded on a core, moved; and what was copied to and charged on it."""
    model = torch.nn.Linear(256, 256)
    size = 4 * 256 * 257
    inputs = torch.ones(1, 256)
    traced = separate(model, (inputs,))
    found: list[Any] = [{str(one.device) for one in traced.weights.parameters()}]
    traced(inputs)
    copied = ops.memory_stats(0)["host_to_device"]
    traced(inputs)
    found += [
        ops.memory_stats(0)["host_to_device"] - copied >= size,
        ops.memory_stats(0)["models"],
        str(traced(inputs.to("neuron")).device),
    ]
    torch_neuronx.move_trace_to_device(traced, 0)
    copied = ops.memory_stats(0)["host_to_device"]
    traced(inputs)
    found += [ops.memory_stats(0)["host_to_device"] - copied, ops.memory_stats(0)["allocated"] >= size]
    found += [{str(one.device) for one in traced.weights.parameters()}, str(traced(inputs.to("neuron")).device)]
    torch_neuronx.set_neuron_cores(traced, 2, 3)
    same = torch.equal(traced(inputs), traced(inputs.to("neuron:4")).cpu())
    return [*found, {str(one.device) for one in traced.weights.parameters()}, same]


def test_separate_weights_are_copied_by_every_call_until_they_are_moved(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, movements) == [
        {"cpu"}, True, 0, "cpu",
        4 * 256, True,
        {"neuron:0"}, "neuron:0",
        {"neuron:2"}, True,
    ]  # fmt: skip


def inlined() -> tuple[list[str], bool]:
    traced: Any = torch_neuronx.trace(neuron_networks.Convolutions(1), neuron_networks.images())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch_neuronx.replace_weights(traced, neuron_networks.Convolutions(2))
    assert all(one.filename == __file__ for one in caught)
    unchanged = neuron_networks.expected(neuron_networks.Convolutions(1), neuron_networks.images())
    return [f"{one.category.__name__}: {one.message}" for one in caught], neuron_networks.same(
        traced(neuron_networks.images()), unchanged
    )


def test_inlined_weights_are_not_replaced_and_that_is_warned_of(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, inlined) == (
        [
            (
                "UserWarning: The weights of this model are inlined in its compiled code (NEFF) and were not replaced. "
                "Trace it with inline_weights_to_neff=False"
            )
        ],
        True,
    )


def refusals() -> list[str]:
    inputs = neuron_networks.images()
    traced = separate(neuron_networks.Convolutions(1), (inputs,))
    before = traced(inputs)
    found = []
    good = neuron_networks.Convolutions(2).state_dict()
    for changed in [{"tail": torch.ones(1)}, {"head.bias": torch.ones(6)}, {"head.bias": torch.ones(5).double()}]:
        with pytest.raises(ValueError, match="weight") as raised:
            torch_neuronx.replace_weights(traced, good | changed)
        found.append(str(raised.value))
    assert torch.equal(traced(inputs), before)
    torch_neuronx.replace_weights(traced, {"head.bias": torch.zeros(5)})  # the others stay
    assert not torch.equal(traced(inputs), before)
    with pytest.raises(RuntimeError) as scripted:
        separate(neuron_networks.untyped.jit.script(torch.nn.Linear(2, 2)), (torch.ones(2),))
    return [*found, str(scripted.value)]


def test_replace_weights_changes_all_or_nothing(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    unknown, shape, kind, scripted = processes.run(machine, refusals)
    assert unknown.startswith("the model has no weight tail; it has stem.0.weight, stem.1.weight, ")
    assert shape == "weight head.bias is torch.float32 [6], but the model was compiled for torch.float32 [5]"
    assert kind == "weight head.bias is torch.float64 [5], but the model was compiled for torch.float32 [5]"
    assert scripted.startswith("weight belongs to a TorchScript module")


def copies_replaced() -> tuple[bool, bool]:
    inputs = neuron_networks.images(4)
    parallel = torch_neuronx.DataParallel(separate(neuron_networks.Convolutions(1), (inputs[:2],)), [0, 2])
    torch_neuronx.replace_weights(parallel, neuron_networks.Convolutions(2))
    wanted = neuron_networks.in_pieces(neuron_networks.Convolutions(2), 2, inputs)
    held = [parallel.module, *parallel.copies]
    return neuron_networks.same(parallel(inputs), wanted), len({id(one) for one in held}) == len(held)


def test_weights_of_all_copies_of_data_parallel_are_replaced(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, copies_replaced) == (True, True)


def function_and_batches() -> list[bool]:
    """A function that uses a module; and dynamic batching, which cuts the inputs and not the weights."""
    module, inputs = neuron_networks.Convolutions(1), neuron_networks.images()
    traced: Any = torch_neuronx.trace(lambda images: module(images) * 2, inputs, inline_weights_to_neff=False)
    torch_neuronx.replace_weights(traced, neuron_networks.Convolutions(2))
    right = torch.equal(traced(inputs), neuron_networks.expected(neuron_networks.Convolutions(2), inputs) * 2)
    dynamic = torch_neuronx.dynamic_batch(separate(module, (inputs,)))
    rows = neuron_networks.images(5)
    return [right, neuron_networks.same(dynamic(rows), neuron_networks.in_pieces(module, 2, rows))]


def test_separate_weights_work_with_functions_and_dynamic_batching(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, function_and_batches) == [True, True]


def test_attribute_has_no_dots() -> None:
    assert weights.attribute("layers.0.weight") == "layers->0->weight"
