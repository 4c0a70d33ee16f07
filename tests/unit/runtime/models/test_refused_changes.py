"""A refused call changes nothing: neither where models are, nor the default of later ones, nor their tensors."""

import contextlib
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.device import operators

X: Any = torch_neuronx
INFERENTIA: Any = torch_neuron.experimental

Refused = Callable[[Any], object]


def entered(context: Any) -> None:
    with context:
        pass


def placed_inside(trace: torch.nn.Module) -> None:
    with X.neuron_cores_context(5):
        X.set_neuron_cores(trace, 9)


PLACING: dict[str, tuple[Refused, str, str]] = {
    "move_trace_to_device: no such core": (
        lambda trace: X.move_trace_to_device(trace, 8), "RuntimeError", "Could not find VNC id 8"),
    "move_trace_to_device: below 0": (
        lambda trace: X.move_trace_to_device(trace, -1), "ValueError",
        "device_id=-1 is no NeuronCore of this process, which has 8: 0 to 7"),
    "move_trace_to_device: text": (
        lambda trace: X.move_trace_to_device(trace, "neuron:1"), "TypeError",
        "device_id='neuron:1' is str, and NeuronCores are counted: use the number of a core"),
    "move_trace_to_device: a device": (
        lambda trace: X.move_trace_to_device(trace, torch.device("neuron", 1)), "TypeError",
        "device_id=device(type='neuron', index=1) is device, and NeuronCores are counted"),
    "move_trace_to_device: no such core, and no model": (
        lambda _: X.move_trace_to_device(torch.nn.Linear(1, 1), 8), "ValueError", "device_id=8 is no NeuronCore"),
    "set_neuron_cores: no such core": (
        lambda trace: X.set_neuron_cores(trace, 7, 2), "RuntimeError", "Could not find VNC id 8"),
    "set_neuron_cores: the second model needs two": (
        lambda trace: X.set_neuron_cores(trace, 4, 1), "RuntimeError", "needs 2 NeuronCores, but nc_count=1"),
    "set_neuron_cores: the second model at the end": (
        lambda trace: X.set_neuron_cores(trace, 7), "RuntimeError", "Could not find VNC id 8"),
    "set_neuron_cores: below -1": (
        lambda trace: X.set_neuron_cores(trace, -5), "ValueError",
        "Invalid NeuronCore index start_nc=-5. Use one from 0, counted from the process's first core, or -1 for"),
    "set_neuron_cores: text": (
        lambda trace: X.set_neuron_cores(trace, "0"), "TypeError", "start_nc='0' is str, and NeuronCores are counted"),
    "set_neuron_cores: a fraction": (
        lambda trace: INFERENTIA.set_neuron_cores(trace, 0, 1.0), "TypeError", "nc_count=1.0 is float"),
    "set_neuron_cores: too many": (
        lambda trace: INFERENTIA.set_neuron_cores(trace, 0, 9), "ValueError", "NeuronCores available: 8"),
    "neuron_cores_context: text": (
        lambda _: entered(X.neuron_cores_context("neuron:0")), "TypeError", "start_nc='neuron:0' is str"),
    "neuron_cores_context: below -1": (
        lambda _: entered(INFERENTIA.neuron_cores_context(-2, 1)), "ValueError", "start_nc=-2"),
    "neuron_cores_context: a model inside": (
        placed_inside, "RuntimeError", "Could not find VNC id 9"),
    "DataParallel: the second model needs two": (
        lambda trace: X.DataParallel(trace, [0, 5], 0, False), "RuntimeError", "needs 2 NeuronCores, but nc_count=1"),
    "DataParallel: below 0": (
        lambda trace: X.DataParallel(trace, [-1]), "ValueError", "Expected `nc:#` or an integer, but got: -1. "),
    "dynamic_batch": (
        X.dynamic_batch, "NotBatchable", "dynamic batching needs the batch in dim 0"),
}  # fmt: skip


def standing(trace: torch.nn.Module) -> list[Any]:
    held: list[Any] = [
        part.neuron_model
        for part in trace.modules()
        if isinstance(getattr(part, "neuron_model", None), torch.ScriptObject)
    ]
    return [
        neuron_models.spans_of(trace), operators.default_cores(), operators.core_usage(),
        [one.dynamic_batch() for one in held], [str(value.device) for value in trace.parameters()],
    ]  # fmt: skip


class Scalar(torch.nn.Module):
    """Cannot be batched; its weight can be outside."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value * self.weight


def before_and_after(directory: pathlib.Path, name: str, at: int | None) -> tuple[str, str, list[Any], list[Any], bool]:
    """Refuse a call for a module of three models, placed or not; return the error, and what stood where."""
    models = torch.nn.ModuleList(
        [
            torch_neuronx.trace(Scalar(), torch.tensor(1.0), inline_weights_to_neff=False),
            neuron_models.load(directory, 1),
            neuron_models.load(directory, 2),
        ]
    )
    if at is not None:
        torch_neuronx.set_neuron_cores(models, at)
    operators.set_default_cores(3, -1)
    before = standing(models)
    with pytest.raises((RuntimeError, ValueError, TypeError)) as refused:
        PLACING[name][0](models)
    after = standing(models)
    first: Any = models[0]
    works = float(first(torch.tensor(4.0))) == 8.0
    for cores in (1, 2):
        neuron_models.check(models[cores], cores)
    return type(refused.value).__name__, str(refused.value), before, after, works


@pytest.mark.parametrize("at", [None, 2])
@pytest.mark.parametrize("name", PLACING)
def test_refused_call_changes_nothing(
    name: str, at: int | None, processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    kind, text, before, after, works = processes.run(machine, before_and_after, model_files, name, at)
    assert kind == PLACING[name][1]
    assert PLACING[name][2] in text
    assert (after, works) == (before, True)


def unplaced_stays_unplaced(directory: pathlib.Path) -> list[Any]:
    """A model that is not loaded yet, or is being loaded, finds its way as if nothing had been asked."""
    lazy = torch_neuron.trace(neuron_models.Small(), neuron_models.example())
    with contextlib.suppress(RuntimeError):
        torch_neuronx.set_neuron_cores(lazy, 99)
    seen = [neuron_models.spans_of(lazy), operators.core_usage()]
    torch_neuronx.async_load(lazy)
    lazy.save(str(directory / "async.pt"))
    with torch_neuronx.neuron_cores_context(6):
        loading = neuron_models.jit_load(directory / "async.pt")
    with contextlib.suppress(RuntimeError):
        torch_neuronx.set_neuron_cores(loading, 99)
    neuron_models.check(loading, 0)
    neuron_models.check(lazy, 0)
    return [*seen, neuron_models.spans_of(loading, lazy)]


def test_model_that_is_not_loaded_or_loading_stays_so(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, unplaced_stays_unplaced, tmp_path) == [[[]], (0,) * 8, [["6"], ["0"]]]


def default_is_kept(directory: pathlib.Path) -> list[list[str]]:
    """The case as it was found: a refused move must not send every later model to that core."""
    model = neuron_models.load(directory, 1)
    with contextlib.suppress(RuntimeError):
        torch_neuronx.move_trace_to_device(model, 7)
    return neuron_models.spans_of(model, neuron_models.load(directory, 1))


def test_refused_move_leaves_later_models_alone(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine | {"NEURON_RT_NUM_CORES": "2"}, default_is_kept, model_files) == [["0"], ["1"]]


class Wide(torch.nn.Module):
    """A small weight that still fits, and then one that does not."""

    def __init__(self) -> None:
        super().__init__()
        self.small = torch.nn.Parameter(torch.ones(4096))
        self.large = torch.nn.Parameter(torch.ones(4096, 4096))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ self.large + self.small


def full_of_tensors() -> list[Any]:
    """A model that fits its old core only is on it again, with its weights, when the new one is full."""
    wide = Wide()
    traced: Any = torch_neuronx.trace(wide, torch.ones(1, 4096), inline_weights_to_neff=False)
    torch_neuronx.move_trace_to_device(traced, 0)
    blocks = []
    with contextlib.suppress(RuntimeError):
        while True:
            blocks.append(torch.empty(32 << 20, dtype=torch.uint8, device="neuron:1"))
    with pytest.raises(RuntimeError, match="Allocation Failure") as raised:
        torch_neuronx.set_neuron_cores(traced, 1)
    again = neuron_models.spans_of(traced), {str(value.device) for value in traced.parameters()}
    return [
        "Allocation Failure" in str(raised.value),
        *again,
        torch.allclose(traced(torch.ones(1, 4096)), wide(torch.ones(1, 4096))),
    ]


def test_model_is_back_with_its_weights_when_the_new_core_is_full(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, full_of_tensors) == [True, [["0"]], {"neuron:0"}, True]


CORES = {"NEURON_RT_NUM_CORES": "2"}


def more_ids(package: str, device_ids: list[int]) -> tuple[str, list[Any]]:
    """Spread over ids of which the process has two; return where the refusal came, and where the model is."""
    api = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}[package]
    model: Any = torch_neuron.trace(neuron_models.Small(), neuron_models.example())
    torch_neuronx.set_neuron_cores(model, 1)

    def stands() -> list[Any]:
        return [*neuron_models.spans_of(model), model.neuron_model.dynamic_batch()]

    try:
        parallel: Any = getattr(api, "DataParallel")(model, device_ids)  # noqa: B009 - two classes of one name
    except RuntimeError as error:
        return f"construction: {str(error).splitlines()[0].partition(': ')[0]}", stands()
    try:
        parallel(neuron_models.example(6))
    except RuntimeError as error:
        return f"first call: {str(error).partition('.')[0]}", stands()
    return "", stands()


@pytest.mark.parametrize(
    ("package", "device_ids", "refused"),
    [
        pytest.param(
            "torch_neuronx", [0, 1, 2], "first call: Automatic dynamic batching must be disabled", id="consecutive"
        ),
        pytest.param("torch_neuronx", [0, 5], "construction: Could not load the model status=2", id="gaps"),
        pytest.param("torch_neuronx", [1, 2], "construction: Could not load the model status=2", id="as many as cores"),
        pytest.param("torch_neuron", [0, 1, 2], "construction: Could not load the model status=2", id="Inf1"),
        pytest.param("torch_neuron", [0, 5], "construction: Could not load the model status=2", id="Inf1: gaps"),
    ],
)
def test_ids_beyond_the_cores_are_refused_where_the_page_says(
    package: str, device_ids: list[int], refused: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    found, where = processes.run(machine | CORES, more_ids, package, device_ids)
    assert found.startswith(refused)
    assert where == [["1"], False]
