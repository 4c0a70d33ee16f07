"""lazy_load and async_load: set before saving, carried in the file, and what they change when it is loaded."""

import concurrent.futures
import contextlib
import pathlib
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes, neuron_programs

ops: Any = torch.ops.neuron


def save(path: str, option: str, enable: bool) -> tuple[Any, Any]:
    """Save a model with an option; return what setting it returned, also for a module that has no Neuron model."""
    set_option: Any = getattr(torch_neuronx, option)
    traced: Any = torch_neuronx.trace(neuron_networks.Convolutions(), neuron_networks.images())
    results = set_option(torch.nn.Linear(2, 2)), set_option(traced, enable)
    traced.save(path)
    return results


def load(path: str) -> list[Any]:
    """Load it; return the uses of the first core before and after the first call, and whether that is right."""
    loaded = neuron_models.jit_load(path)
    before = list(ops.core_usage())[:1]
    images = neuron_networks.images()
    right = neuron_networks.same(loaded(images), neuron_networks.expected(neuron_networks.Convolutions(), images))
    return [before, list(ops.core_usage())[:1], right]


@pytest.mark.parametrize(("enable", "before"), [(True, []), (False, [1])])
def test_lazy_model_takes_no_core_before_its_first_use(
    enable: bool,
    before: list[int],
    tmp_path: pathlib.Path,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    path = str(tmp_path / "model.pt")
    assert processes.run(machine, save, path, "lazy_load", enable) == (None, None)
    assert processes.run(machine, load, path) == [before, [1], True]


def load_in_background(path: str) -> list[Any]:
    """Load three, the second with an explicit place; the first call waits, and so does asking for the place."""
    first = neuron_models.jit_load(path)
    with torch_neuronx.neuron_cores_context(5):
        second = neuron_models.jit_load(path)
    third = neuron_models.jit_load(path)
    images = neuron_networks.images()
    wanted = neuron_networks.expected(neuron_networks.Convolutions(), images)
    right = [neuron_networks.same(model(images), wanted) for model in (third, second, first)]
    return [neuron_models.spans_of(first, second, third), right]


def test_background_loads_keep_the_order_and_the_default_of_their_torch_jit_load(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    assert processes.run(machine, save, path, "async_load", True) == (None, None)
    assert processes.run(machine, load_in_background, path) == [[["0"], ["5"], ["1"]], [True] * 3]


def impossible_load(path: str) -> list[str]:
    """Load where there is no core: torch.jit.load returns, the first use says it, and the next one tries again."""
    with torch_neuronx.neuron_cores_context(8):
        model = neuron_models.jit_load(path)
    texts = []
    with pytest.raises(RuntimeError) as raised:
        model(neuron_networks.images())
    texts.append(str(raised.value))
    model(neuron_networks.images())
    return [*texts, *(str(span) for span in neuronspan_runtime.placement(model))]


def test_background_load_that_fails_is_told_by_the_first_use(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, save, path, "async_load", True)
    text, place = processes.run(machine, impossible_load, path)
    assert "Could not find VNC id 8" in text
    assert place == "0"


def replaced_before_it_was_waited_for(path: str) -> tuple[list[list[str]], list[int]]:
    """Place models elsewhere, unload and drop them while they may still be loading."""
    moved, unloaded, dropped = (neuron_models.jit_load(path) for _ in range(3))
    torch_neuronx.set_neuron_cores(moved, 6)
    held: Any = unloaded.neuron_model
    held.unload()
    del dropped
    ops.finish_loading()
    return neuron_models.spans_of(moved, unloaded), list(ops.core_usage())


def test_background_load_gives_way_to_what_is_asked_next(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, save, path, "async_load", True)
    assert processes.run(machine, replaced_before_it_was_waited_for, path) == (
        [["6"], []],
        [0, 0, 0, 0, 0, 0, 1, 0],
    )


EXIT = """
import sys, torch, torch_neuronx
models = [torch.jit.load(sys.argv[1]) for _ in range(8)]
print("done")
"""


def test_program_may_end_while_models_are_loading(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, save, path, "async_load", True)
    done = neuron_programs.run(machine, EXIT, path, warnings=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def flags_of_a_copy() -> tuple[bool, bool, bool]:
    traced: Any = torch_neuronx.trace(torch.nn.ReLU(), torch.ones(2))
    torch_neuronx.lazy_load(traced)
    torch_neuronx.async_load(traced)
    torch_neuronx.lazy_load(traced, False)
    held = traced.neuron_model
    parallel = torch_neuronx.DataParallel(traced, [0, 2])
    copied: Any = parallel.copies[0]
    return held.lazy_load(), held.async_load(), copied.neuron_model.lazy_load()


def test_switches_are_set_and_unset_and_copies_have_them_too(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, flags_of_a_copy) == (False, True, False)


def read_without_loading(path: str) -> list[Any]:
    """Read two inside the context, one in another thread, one after an error in it; return where they are."""
    seen: list[Any] = []
    with torch_neuronx.contexts.disable_nrt_load():
        first, second = (neuron_models.jit_load(path) for _ in range(2))
        seen.append((neuron_models.spans_of(first, second), list(ops.core_usage())))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            elsewhere = pool.submit(neuron_models.jit_load, path).result()
        seen.append(neuron_models.spans_of(elsewhere))
    with contextlib.suppress(IndexError), torch_neuronx.contexts.disable_nrt_load():
        [].pop()
    torch_neuronx.set_neuron_cores(first, 5, 1)
    images = neuron_networks.images()
    wanted = neuron_networks.expected(neuron_networks.Convolutions(), images)
    assert all(neuron_networks.same(model(images), wanted) for model in (first, second, elsewhere))
    return [*seen, neuron_models.spans_of(first, second, neuron_models.jit_load(path))]


def test_models_that_are_read_without_loading_are_loaded_when_they_are_placed_or_used(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, save, path, "lazy_load", False)
    assert processes.run(machine, read_without_loading, path) == [
        ([[], []], []),
        [["0"]],
        [["5"], ["1"], ["2"]],
    ]
