"""Tracing, saving and loading: the numbers of the CPU, to the bit, in the same structure, under the same names."""

import contextlib
import io
import json
import pathlib
import threading
import typing
import warnings
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.compiling import tracing
from neuronspan_runtime.device import device_module


class Outputs(typing.NamedTuple):
    """A model's output with names."""

    total: torch.Tensor
    difference: torch.Tensor


class Single(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return first + second


class Many(Single):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return first + second, (first - second, [first * second])


class Named(Single):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return {"sum": first + second, "difference": first - second}


class NamedTupled(Single):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return Outputs(first + second, first - second)


class PassedThrough(Single):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return second, first, first


class Branches(Single):
    """Keeps integer and boolean outputs apart from floating ones."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return first > second, first.argmax(-1), first.to(torch.bfloat16)


class Normalized(torch.nn.Module):
    """Convolution and batch norm, which freezing would fold and so change in the last bit."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        norm = torch.nn.BatchNorm1d(8)
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        self.layers = torch.nn.Sequential(torch.nn.Conv1d(4, 8, 3, bias=False), norm, torch.nn.GELU())
        self.eval()

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return self.layers(torch.stack([first, second] * 2, 1))


class Nested(torch.nn.Module):
    """Takes tensors in a tuple, a list and a dict."""

    def forward(self, pair: Any, items: Any, table: Any) -> Any:
        return pair[0] - pair[1] + items[0] * table["factor"]


MODULES: dict[str, type[torch.nn.Module]] = {
    kind.__name__: kind for kind in (Single, Many, Named, NamedTupled, PassedThrough, Branches, Normalized)
}


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 6, generator=generator), torch.randn(3, 6, generator=generator)


def leaves(value: Any) -> list[Any]:
    """The tensors and keys of a result, with the kinds of its containers."""
    if isinstance(value, dict):
        return ["dict", *(item for key, one in value.items() for item in (key, *leaves(one)))]
    if isinstance(value, (tuple, list)):
        return ["list" if isinstance(value, list) else "tuple", *(item for one in value for item in leaves(one))]
    return [value]


jit_trace: Any = torch.jit.trace


def same(first: Any, second: Any) -> bool:
    """Whether two results are alike in structure and, to the bit, in numbers."""
    left, right = leaves(first), leaves(second)
    return len(left) == len(right) and all(
        torch.equal(a, b) and a.dtype == b.dtype if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(left, right, strict=True)
    )


def traced_and_loaded(name: str, directory: pathlib.Path, package: Any = torch_neuronx) -> tuple[bool, bool, bool]:
    """Trace, save and load a module; return whether the traced, the saved and the loaded one compute what it does."""
    module = MODULES[name]()
    expected = jit_trace(module, inputs(), strict=False, check_trace=False)(*inputs())
    traced = package.trace(module, inputs())
    before = same(traced(*inputs()), expected)
    torch.jit.save(traced, directory / "model.pt")
    loaded = neuron_models.jit_load(directory / "model.pt")
    return before, same(traced(*inputs()), expected), same(loaded(*inputs()), expected)


@pytest.mark.parametrize("name", MODULES)
def test_trace_keeps_numbers_and_structure_through_save_and_load(
    name: str, tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, traced_and_loaded, name, tmp_path) == (True, True, True)


def loaded_elsewhere(path: str) -> bool:
    return same(neuron_models.jit_load(path)(*inputs()), Named()(*inputs()))


def saved_by_method(path: str) -> bool:
    torch_neuron.trace(Named(), inputs()).save(path)
    return bool(device_module.is_initialized())


def test_saved_model_loads_in_another_process_and_making_it_claims_no_core(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    assert not processes.run(machine, saved_by_method, path)
    assert processes.run(machine, loaded_elsewhere, path)


def keyword_calls() -> list[bool]:
    expected = Single()(*inputs())
    first, second = inputs()
    traced: Any = torch_neuronx.trace(Single(), (first, second))
    return [
        torch.equal(result, expected) for result in (traced(first, second=second), traced(second=second, first=first))
    ]


def test_traced_model_takes_its_arguments_by_name(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, keyword_calls) == [True, True]


def nested_inputs() -> bool:
    first, second = inputs()
    arguments = ((first, second), [first], {"factor": second})
    traced: Any = torch_neuronx.trace(Nested(), arguments)
    return torch.equal(traced(*arguments), Nested()(*arguments))


def test_trace_takes_nested_example_inputs(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, nested_inputs)


def functions() -> list[bool]:
    """Trace functions, also one that uses a module, a bound method, a scripted module, and a builtin."""
    first, second = inputs()
    layer = torch.nn.Linear(6, 6).eval()
    scripted = torch.jit.script(torch.nn.Sequential(layer, torch.nn.ReLU()))
    cases: list[tuple[Any, Any]] = [
        (lambda a, b: a * b, (first, second)),
        (lambda values: layer(values) + 1, first),
        (layer.forward, (first,)),
        (scripted, first),
        (lambda outputs, outputs0: outputs - outputs0, (first, second)),
        (torch.sub, (first, second)),
    ]
    results = []
    for function, example in cases:
        arguments = example if isinstance(example, tuple) else (example,)
        with torch.no_grad():
            results.append(torch.equal(torch_neuronx.trace(function, example)(*arguments), function(*arguments)))
    return results


def test_trace_takes_functions_methods_and_scripted_modules(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, functions) == [True] * 6


def user_is_untouched() -> tuple[bool, bool, bool, bool]:
    """Trace a module in training mode; change its weights afterwards."""
    layer = torch.nn.Linear(6, 6)
    module = torch.nn.Sequential(layer, torch.nn.Identity()).train()
    first, _ = inputs()
    expected = module(first).detach()
    traced: Any = torch_neuronx.trace(module, first)
    weight = layer.weight
    kept = module.training and weight.requires_grad and weight.device.type == "cpu"
    with torch.no_grad():
        weight.zero_()
    result = traced(first)
    return kept, torch.equal(result, expected), result.requires_grad, traced.training


def test_trace_leaves_the_users_module_alone_and_is_independent_of_it(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, user_is_untouched) == (True, True, False, False)


def examples_on_the_device() -> tuple[str, bool]:
    model, example = neuron_models.Small(), neuron_models.example()
    traced = torch_neuronx.trace(model, example.to("neuron:0"))
    output = traced(example.to("neuron:0"))
    return str(output.device), torch.equal(output.cpu(), model(example))


def test_trace_takes_example_inputs_on_the_device(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, examples_on_the_device) == ("neuron:0", True)


class Meeting(torch.nn.Module):
    """Notices whether another thread is inside it at the same time; it waits a moment for that."""

    def __init__(self, entered: threading.Barrier) -> None:
        super().__init__()
        self.entered = entered
        self.met = False

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        with contextlib.suppress(threading.BrokenBarrierError):
            self.entered.wait(0.1)
            self.met = True
        return values + 1


def traced_in_threads() -> list[bool]:
    """Trace in several threads at once, which torch alone cannot do."""
    entered = threading.Barrier(2)
    models = [Meeting(entered) for _ in range(2)]
    threads = [threading.Thread(target=torch_neuronx.trace, args=(model, torch.rand(2))) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [model.met for model in models]


def test_trace_is_done_by_one_thread_at_a_time(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, traced_in_threads) == [False, False]


def traced_strictly() -> int:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch_neuronx.trace(neuron_models.Small(), neuron_models.example())
    return len(caught)


def test_trace_keeps_torchs_deprecations_to_itself(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, traced_strictly) == 0


def metadata_and_inputs() -> tuple[dict[str, Any], int, bytes]:
    traced: Any = torch_neuron.trace(
        torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh()),
        torch.rand(64),
        compiler_args=["--neuroncore-pipeline-cores", "2"],
        compiler_timeout=60,
    )
    held = traced.neuron_model
    return json.loads(held.metadata()), held.cores_per_model(), traced.save_to_buffer()


def test_compiled_model_carries_its_metadata_and_not_the_example_inputs(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    metadata, cores, saved = processes.run(machine, metadata_and_inputs)
    assert metadata.pop("torch") == torch.__version__
    assert len(metadata.pop("uuid")) == 32
    assert metadata == {
        "format": 1,
        "name": "Sequential",
        "framework": "torch_neuron",
        "compilerArguments": ["--neuroncore-pipeline-cores", "2"],
        "inputs": [{"shape": [64], "dtype": "float32"}],
    }
    assert cores == 2
    assert b"traced_inputs" not in saved


def traced_from_a_file() -> list[list[str]]:
    """Compile what torch.jit.load returned, as published programs do; return where it ran."""
    record: Any = torch.jit.trace
    content = record(neuron_models.Small(), neuron_models.example()).save_to_buffer()
    traces: list[Any] = [
        torch_neuron.trace(
            neuron_models.jit_load(io.BytesIO(content)),
            example_inputs=[neuron_models.example()],
            op_whitelist=set(torch_neuron.get_supported_operations()),
        ),
        torch_neuronx.trace(neuron_models.jit_load(io.BytesIO(content)), neuron_models.example()),
    ]
    for traced in traces:
        neuron_models.check(traced, 0)
    return neuron_models.spans_of(*traces)


def test_trace_takes_a_module_that_was_loaded_from_a_file(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, traced_from_a_file) == [["0"], ["1"]]


@pytest.mark.parametrize(
    ("function", "count", "expected"),
    [
        pytest.param(Single(), 2, ("first", "second"), id="module"),
        pytest.param(lambda first, *rest: (first, rest), 3, ("first", "input1", "input2"), id="variable arguments"),
        pytest.param(lambda self, torch, outputs: (self, torch, outputs), 3, ("input0", "input1", "outputs"),
                     id="names that TorchScript needs itself"),
        pytest.param(lambda größe, input0: (größe, input0), 2, ("input0_", "input0"),  # noqa: PLC2401 - the case
                     id="letters beyond ASCII"),
        pytest.param(torch.sub, 2, ("input0", "input1"), id="builtin"),
    ],
)  # fmt: skip
def test_argument_names_are_the_functions_own_where_they_can_be(
    function: Any, count: int, expected: tuple[str, ...]
) -> None:
    assert tracing.argument_names(function, count) == expected
