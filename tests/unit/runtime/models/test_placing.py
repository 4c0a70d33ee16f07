"""The placement API in detail: checks in AWS's order and words, defaults, nesting, and what is freed when."""

import contextlib
import gc
import io
import pathlib
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.device import device_module, operators

APIS = {"torch_neuronx": torch_neuronx, "torch_neuron.experimental": torch_neuron.experimental}
"""The modules that offer the four placement functions."""


def raised_by(api: str, function: str, arguments: Sequence[int]) -> tuple[str, str, bool]:
    """Call a placement function; return the error's type and text, and whether the runtime was started by it."""
    call: Any = getattr(APIS[api], function)
    model = torch.nn.Linear(2, 2)
    try:
        if function.endswith("context"):
            with call(*arguments):
                pass
        else:
            call(model, *arguments)
    except (RuntimeError, ValueError) as error:
        return type(error).__name__, str(error), device_module.is_initialized()
    return "", "", device_module.is_initialized()


@pytest.mark.parametrize(
    ("arguments", "error", "text", "started"),
    [
        pytest.param((0, 0), "ValueError", "Invalid NeuronCore count nc_count=0. Cannot be set to 0", False, id="zero"),
        pytest.param((0, -2), "ValueError", "Invalid NeuronCore count nc_count=-2. Values less than -1 are invalid",
                     False, id="less than -1"),
        pytest.param((0, 9), "ValueError", "Invalid NeuronCore count nc_count=9. NeuronCores available: 8", True,
                     id="more than visible"),
        pytest.param((0, -1), "", "", False, id="-1 does not ask the runtime"),
        pytest.param((99, -1), "", "", False, id="start_nc is not checked"),
        pytest.param((99, 1), "", "", True, id="start_nc is not checked with a count either"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", ["set_neuron_cores", "neuron_cores_context"])
@pytest.mark.parametrize("api", APIS)
def test_placement_checks_the_count_in_the_order_and_words_of_aws(
    api: str,
    function: str,
    arguments: Sequence[int],
    error: str,
    text: str,
    started: bool,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, raised_by, api, function, arguments) == (error, text, started)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("set_multicore", ()), ("multicore_context", ()), ("set_neuron_cores", (0, 1)), ("neuron_cores_context", (0, 1))],
)
def test_placement_says_that_cores_cannot_be_counted_when_the_runtime_does_not_start(
    function: str, arguments: Sequence[int], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "3,5"}
    assert processes.run(variables, raised_by, "torch_neuronx", function, arguments) == (
        "StartRefused",
        "Neuron runtime cannot be initialized; cannot determine the number of available NeuronCores",
        False,
    )


def defaults_seen() -> list[tuple[int, int]]:
    """Enter and leave contexts, also by errors; return the process's default at each point."""
    seen = [operators.default_cores()]
    with torch_neuronx.neuron_cores_context(2, 1):
        seen.append(operators.default_cores())
        with torch_neuron.experimental.multicore_context():
            seen.append(operators.default_cores())
        seen.append(operators.default_cores())
        try:
            with torch_neuronx.neuron_cores_context(5):
                seen.append(operators.default_cores())
                [].pop()
        except IndexError:
            seen.append(operators.default_cores())
        try:
            with torch_neuronx.neuron_cores_context(5, 0):
                pass
        except ValueError:
            seen.append(operators.default_cores())
    seen.append(operators.default_cores())
    return seen


def test_contexts_nest_and_restore_the_default_even_on_errors(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, defaults_seen) == [
        (-1, -1), (2, 1), (0, 8), (2, 1), (5, -1), (2, 1), (2, 1), (-1, -1),
    ]  # fmt: skip


def moved(directory: pathlib.Path) -> tuple[list[list[str]], tuple[int, int], None]:
    """Move a loaded model, then load two more."""
    first = neuron_models.load(directory, 1)
    answer = torch_neuronx.move_trace_to_device(first, 5)  # type: ignore[func-returns-value]
    neuron_models.check(first, 1)
    later = [neuron_models.load(directory, cores) for cores in (1, 2)]
    return neuron_models.spans_of(first, *later), operators.default_cores(), answer


def test_move_trace_to_device_places_the_model_and_every_later_one(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, moved, model_files) == ([["5"], ["5"], ["5-6"]], (5, -1), None)


def replaced(directory: pathlib.Path) -> list[Any]:
    """Set one model's cores again and again; return its spans and the use of the cores."""
    model = neuron_models.load(directory, 2)
    seen: list[Any] = []
    for start, count in ((4, 2), (-1, 4), (6, -1)):
        torch_neuronx.set_neuron_cores(model, start, count)
        neuron_models.check(model, 2)
        seen.append((neuron_models.spans_of(model)[0], operators.core_usage()))
    torch_neuronx.set_multicore(model)
    seen.append(neuron_models.spans_of(model)[0])
    return seen


def test_set_neuron_cores_unloads_and_loads_again(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, replaced, model_files) == [
        (["4-5"], (0, 0, 0, 0, 1, 1, 0, 0)),
        (["0-1", "2-3"], (1, 1, 1, 1, 0, 0, 0, 0)),
        (["6-7"], (0, 0, 0, 0, 0, 0, 1, 1)),
        ["0-1", "2-3", "4-5", "6-7"],
    ]


def refused_at_load(directory: pathlib.Path, start: int, cores: int) -> str:
    try:
        with torch_neuronx.neuron_cores_context(start):
            neuron_models.load(directory, cores)
    except RuntimeError as error:
        assert not any(operators.core_usage())
        return str(error)
    raise AssertionError("loaded on cores that do not exist")


@pytest.mark.parametrize(("start", "cores", "missing"), [(99, 1, 99), (7, 2, 8), (-1, 4, 3)])
def test_cores_that_are_not_owned_are_noticed_when_the_model_is_loaded(
    start: int,
    cores: int,
    missing: int,
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    machine: dict[str, str],
) -> None:
    variables = machine | ({"NEURON_RT_NUM_CORES": "3"} if start < 0 else {})
    text = processes.run(variables, refused_at_load, model_files, start, cores)
    assert f"Could not load the model status=2 message=Could not find VNC id {missing}" in text


def freed(directory: pathlib.Path) -> list[Any]:
    """Load, trace, use and delete; return usage and memory of core 0 at each point, garbage collection off."""
    gc.disable()
    seen: list[Any] = []

    def look() -> None:
        seen.append((operators.core_usage()[0], device_module.memory_allocated(0) > 0))

    model: Any = neuron_models.load(directory, 1)
    look()
    del model
    look()
    model = torch_neuronx.trace(neuron_models.Small(), neuron_models.example())
    look()
    neuron_models.check(model, 0)
    look()
    del model
    look()
    return seen


def test_cores_and_memory_are_freed_when_the_model_is_deleted(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, freed, model_files) == [(1, True), (0, False), (0, False), (1, True), (0, False)]


def many_models(directory: pathlib.Path) -> list[list[str]]:
    """Place two compiled models inside one plain module, then a module without any."""
    both = torch.nn.ModuleList([neuron_models.load(directory, 1), neuron_models.load(directory, 2)])
    torch_neuronx.set_neuron_cores(both, 4)
    plain = torch.nn.Linear(2, 2)
    torch_neuronx.set_neuron_cores(plain, 4)
    torch_neuronx.set_multicore(plain)
    return neuron_models.spans_of(both, plain)


def test_placement_reaches_every_compiled_model_of_a_module_and_ignores_plain_ones(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, many_models, model_files) == [["4", "4-5"], []]


def numbering(directory: pathlib.Path) -> tuple[tuple[int, int], tuple[int, int], str, str]:
    (span,) = neuronspan_runtime.placement(neuron_models.load(directory, 2))
    return (
        (span.first, span.count),
        (span.local.first, span.local.count),
        str(span),
        str(neuronspan_runtime.owned_cores()),
    )


def test_placement_counts_from_the_node_and_local_from_the_process(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURON_RT_VISIBLE_CORES": "5-7"}
    assert processes.run(variables, numbering, model_files) == ((5, 2), (0, 2), "5-6", "5-7")


def deprecated(function: str) -> list[str]:
    call: Any = getattr(torch_neuronx.experimental, function)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if function.endswith("context"):
            with call():
                pass
        else:
            call(torch.nn.Linear(2, 2))
    return [
        f"{warning.category.__name__}: {warning.message} {pathlib.Path(warning.filename).stem}" for warning in caught
    ]


@pytest.mark.parametrize("function", ["set_neuron_cores", "set_multicore", "neuron_cores_context", "multicore_context"])
def test_experimental_names_of_torch_neuronx_warn_that_they_moved(
    function: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    text = (
        f"In a future version torch_neuronx.experimental.{function} will be removed.  "
        f"Call torch_neuronx.{function} instead."
    )
    assert processes.run(machine, deprecated, function) == [f"DeprecationWarning: {text} test_placing"]


def four_functions(api: str) -> list[list[str]]:
    """Place one loaded model with each of the functions; return where it was after each."""
    functions: Any = APIS[api]
    traced: Any = torch_neuron.trace(neuron_models.Small(), neuron_models.example())
    content = traced.save_to_buffer()
    seen = []

    def check(model: torch.nn.Module) -> None:
        neuron_models.check(model, 0)
        seen.extend(neuron_models.spans_of(model))

    with functions.neuron_cores_context(start_nc=3, nc_count=2):
        model = neuron_models.jit_load(io.BytesIO(content))
    check(model)
    functions.set_neuron_cores(model, start_nc=5, nc_count=1)
    check(model)
    functions.set_multicore(model)
    check(model)
    with functions.multicore_context():
        check(neuron_models.jit_load(io.BytesIO(content)))
    return seen


@pytest.mark.parametrize("api", APIS)
def test_four_functions_choose_the_cores_of_a_loaded_or_of_a_loading_model(
    api: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    everywhere = [str(core) for core in range(8)]
    assert processes.run(machine, four_functions, api) == [["3", "4"], ["5"], everywhere, everywhere]


def around_a_context(directory: pathlib.Path) -> list[list[str]]:
    """Load before, inside and after a context; leave it by an error once."""
    before = neuron_models.load(directory, 1)
    with torch_neuron.experimental.neuron_cores_context(6, 2):
        inside = neuron_models.load(directory, 1)
        neuron_models.check(before, 1)
    with contextlib.suppress(IndexError), torch_neuron.experimental.multicore_context():
        [].pop()
    after = [neuron_models.load(directory, cores) for cores in (1, 2)]
    neuron_models.check(inside, 1)
    return neuron_models.spans_of(before, inside, *after)


def test_context_places_the_models_that_are_loaded_inside_and_no_others(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, around_a_context, model_files) == [["0"], ["6", "7"], ["1"], ["2-3"]]


def pinned_by_the_old_name(directory: pathlib.Path) -> list[list[str]]:
    """As published programs pin replicas: by the module that the functions were in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with torch_neuronx.experimental.placement.neuron_cores_context(start_nc=3, nc_count=1):
            model = neuron_models.load(directory, 1)
    return neuron_models.spans_of(model)


def test_placement_module_of_old_programs_still_places(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, pinned_by_the_old_name, model_files) == [["3"]]
