"""The two DataParallel classes: where they load, how they split, what they warn of and raise; numbers to the bit."""

import contextlib
import os
import pathlib
import threading
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes

UNEVEN = (
    "The NeuronCores are not being fully utilized because a batch of {batch} does not divide evenly over {cores} "
    "NeuronCores: its chunks are {chunks}"
)
BLOCKED = "Automatic dynamic batching must be disabled before running inference."


def compiled(package: Any = torch_neuronx, **options: Any) -> Any:
    """Convolutions compiled for two images."""
    return package.trace(neuron_networks.Convolutions(), neuron_networks.images(2), **options)


@contextlib.contextmanager
def heard() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def spans(module: torch.nn.Module) -> list[str]:
    return [str(span) for span in neuronspan_runtime.placement(module)]


def loaded_on(package: str, device_ids: Sequence[int | str] | None) -> tuple[list[int], list[str], int, int, bool]:
    """Make one; return its ids, its replicas, its workers, how many model objects it has, and whether it is right."""
    api: Any = torch_neuron if package == "torch_neuron" else torch_neuronx
    parallel = api.DataParallel(compiled(api), device_ids)
    cores = len(parallel.device_ids)
    images = neuron_networks.images(2 * cores)
    right = neuron_networks.same(parallel(images), neuron_networks.in_pieces(neuron_networks.Convolutions(), 2, images))
    return parallel.device_ids, spans(parallel), parallel.num_workers, 1 + len(parallel.copies), right


@pytest.mark.parametrize(
    ("package", "device_ids", "expected"),
    [
        pytest.param("torch_neuronx", [0, 1], ([0, 1], ["0", "1"], 2, 1), id="consecutive: one replicated load"),
        pytest.param("torch_neuronx", ["nc:3", 2], ([2, 3], ["2", "3"], 2, 1), id="ids are sorted"),
        pytest.param("torch_neuronx", [5, "nc:0"], ([0, 5], ["0", "5"], 4, 2), id="gaps: copies"),
        pytest.param("torch_neuronx", [6], ([6], ["6"], 2, 1), id="one core"),
        pytest.param("torch_neuronx", None, (list(range(8)), list("01234567"), 2, 1), id="all cores"),
        pytest.param("torch_neuron", [0, 1], ([0, 1], ["0", "1"], 4, 2), id="Inf1: always copies"),
        pytest.param("torch_neuron", ["nc:3", 2], ([3, 2], ["3", "2"], 4, 2), id="Inf1: ids as given"),
    ],
)
def test_data_parallel_loads_where_it_is_told(
    package: str,
    device_ids: Sequence[int | str] | None,
    expected: tuple[Any, ...],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, loaded_on, package, device_ids) == (*expected, True)


def cores_of_a_share(visible: str) -> list[str]:
    parallel = torch_neuronx.DataParallel(compiled(), ["nc:1"])
    parallel(neuron_networks.images(2))
    return [visible, *spans(parallel)]


def test_device_ids_count_from_the_first_core_of_the_process(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine | {"NEURON_RT_VISIBLE_CORES": "4-6"}, cores_of_a_share, "4-6") == ["4-6", "5"]


class Sizes(torch.nn.Module):
    """Answers every row with the number of rows it came with."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.full((len(values),), len(values))


def chunks_of(package: str, batch: int, split_size: int | None) -> tuple[list[int], list[str]]:
    """Run a batch on three cores; return the size of each row's chunk, and the warnings."""
    api: Any = torch_neuron if package == "torch_neuron" else torch_neuronx
    parallel = api.DataParallel(Sizes(), [0, 2, 4])
    parallel.split_size = split_size
    with heard() as caught:
        result = parallel(torch.ones(batch, 2))
    assert all(one.filename == __file__ for one in caught)
    return result.tolist(), [f"{one.category.__name__}: {one.message}" for one in caught]


@pytest.mark.parametrize(
    ("package", "batch", "split_size", "sizes", "warned"),
    [
        pytest.param("torch_neuronx", 6, None, [2] * 6, "", id="even"),
        pytest.param("torch_neuronx", 7, None, [3] * 3 + [2] * 4, "3, 2, 2", id="remainder to the first chunks"),
        pytest.param("torch_neuronx", 2, None, [1, 1], "1, 1", id="fewer rows than cores"),
        pytest.param("torch_neuronx", 4, 2, [2] * 4, "2, 2", id="split_size"),
        pytest.param("torch_neuron", 7, None, [2] * 6 + [1], "2, 2, 2, 1", id="Inf1: batch // cores"),
        pytest.param("torch_neuron", 2, None, [1, 1], "1, 1", id="Inf1: fewer rows than cores"),
    ],
)
def test_data_parallel_splits_as_its_package_does_and_warns_of_idle_cores(
    package: str,
    batch: int,
    split_size: int | None,
    sizes: list[int],
    warned: str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    texts = [f"UserWarning: {UNEVEN.format(batch=batch, cores=3, chunks=warned)}"] if warned else []
    assert processes.run(machine, chunks_of, package, batch, split_size) == (sizes, texts)


def uneven_batch() -> bool:
    parallel = torch_neuronx.DataParallel(compiled(), [0, 2, 4])
    images, module = neuron_networks.images(7), neuron_networks.Convolutions()
    wanted = torch.cat([neuron_networks.in_pieces(module, 2, chunk) for chunk in torch.split(images, [3, 2, 2])])
    with heard():
        return neuron_networks.same(parallel(images), wanted)


def test_uneven_batch_is_right_to_the_bit(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, uneven_batch)


def too_many_cores() -> tuple[str, str, list[str]]:
    """More ids than cores: construction goes on; so does a program that catches the first error."""
    parallel = torch_neuronx.DataParallel(compiled(), list(range(9)))
    with pytest.raises(RuntimeError) as blocked:
        parallel(neuron_networks.images(2))
    with pytest.raises(ValueError, match="nc_count") as refused:
        parallel.disable_dynamic_batching()
    return str(blocked.value), str(refused.value), spans(parallel)


def test_more_ids_than_cores_are_logged_at_construction_and_raised_by_the_first_call(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    text = "Invalid NeuronCore count nc_count=9. NeuronCores available: 8"
    with processes.start(machine, too_many_cores) as process:
        outcome = process.outcome()
    assert f"Automatic dynamic batching failed due to {text}" in outcome.log
    blocked, refused, placed = outcome.value
    assert blocked.startswith(BLOCKED)
    assert (refused, placed) == (text, [])


class Added(torch.nn.Module):
    """Its second input has no batch."""

    def forward(self, values: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        return values + offset


def not_batchable() -> tuple[str, str]:
    traced = torch_neuronx.trace(Added(), (torch.ones(2, 3), torch.ones(1, 3)))
    parallel = torch_neuronx.DataParallel(traced, [0, 1])
    with pytest.raises(RuntimeError) as blocked:
        parallel(torch.ones(4, 3), torch.ones(1, 3))
    parallel.disable_dynamic_batching()
    with pytest.raises(RuntimeError) as uneven:
        parallel(torch.ones(4, 3), torch.ones(1, 3))
    return str(blocked.value), str(uneven.value)


def test_model_that_cannot_be_batched_is_raised_by_the_first_call(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    blocked, uneven = processes.run(machine, not_batchable)
    assert blocked.startswith(BLOCKED)
    assert uneven == "Inconsistent batch sizes found on inputs: 4, 1 in dim 0"


def without_dynamic_batching(disable: bool) -> tuple[bool, str]:
    """Chunks of the compiled size only."""
    parallel = torch_neuronx.DataParallel(compiled(), [1, 2], set_dynamic_batching=disable)
    if disable:
        parallel.disable_dynamic_batching()
    images = neuron_networks.images(4)
    wanted = neuron_networks.in_pieces(neuron_networks.Convolutions(), 2, images)
    right = neuron_networks.same(parallel(images), wanted)
    with pytest.raises(RuntimeError) as raised:
        parallel(neuron_networks.images(6))
    return right, str(raised.value)


@pytest.mark.parametrize("disable", [False, True])
def test_chunks_must_have_the_compiled_size_without_dynamic_batching(
    disable: bool, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    right, text = processes.run(machine, without_dynamic_batching, disable)
    assert right
    assert text.startswith("Caught RuntimeError on neuroncore 0.\nOriginal Traceback")
    assert (
        "Incorrect tensor shape at input tensor #0 (images): received Float [3, 3, 8, 8], expected Float [2, 3" in text
    )


class Failing(torch.nn.Module):
    """Works, except on rows of zeros."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not values.any():
            raise RuntimeError("only zeros")
        return values


def failing_chunk() -> str:
    parallel = torch_neuronx.DataParallel(Failing(), [3, 5, 7])
    values = torch.ones(3, 2)
    assert torch.equal(parallel(values), values)
    values[1] = 0
    with pytest.raises(RuntimeError) as raised:
        parallel(values)
    return str(raised.value)


def test_error_names_the_chunk_and_not_the_core(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    text = processes.run(machine, failing_chunk)
    assert text.startswith("Caught RuntimeError on neuroncore 1.\nOriginal Traceback")
    assert text.rstrip().endswith("RuntimeError: only zeros")


def refused(package: str, device_ids: Any, pipelined: bool) -> tuple[str, str]:
    api: Any = torch_neuron if package == "torch_neuron" else torch_neuronx
    options = {"compiler_args": "--neuroncore-pipeline-cores 2"} if pipelined else {}
    with pytest.raises((RuntimeError, ValueError, TypeError)) as raised:
        api.DataParallel(compiled(torch_neuron, **options), device_ids)
    return type(raised.value).__name__, str(raised.value).splitlines()[0]


@pytest.mark.parametrize(
    ("package", "device_ids", "pipelined", "kind", "text"),
    [
        pytest.param("torch_neuronx", ["neuron:0"], False, "ValueError",
                     "Expected `nc:#` or an integer, but got: neuron:0", id="bad id"),
        pytest.param("torch_neuronx", 0, False, "TypeError",
                     "device_ids=0 is no list: name each NeuronCore in one, such as [0, 1]", id="a number"),
        pytest.param("torch_neuron", "nc:1", False, "TypeError",
                     "device_ids='nc:1' is no list: name each NeuronCore in one, such as [0, 1]", id="a text"),
        pytest.param("torch_neuronx", [], False, "ValueError",
                     "device_ids is empty: name at least one NeuronCore, or leave it out to use all", id="no id"),
        pytest.param("torch_neuronx", [7, 8], False, "RuntimeError",
                     "Could not load the model status=2 message=Could not find VNC id 8", id="core of another process"),
        pytest.param("torch_neuron", [0], True, "RuntimeError",
                     "torch.neuron.DataParallel does not support NeuronCore Pipeline: this model needs 2 NeuronCores.",
                     id="Inf1: pipelined"),
    ],
)  # fmt: skip
def test_data_parallel_refuses(
    package: str,
    device_ids: Any,
    pipelined: bool,
    kind: str,
    text: str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    found = processes.run(machine, refused, package, device_ids, pipelined)
    assert found[0] == kind
    assert found[1].startswith(text)


def nested_and_named() -> tuple[bool, bool, str]:
    """A model with two inputs and a dict of outputs, its arguments by name, with inputs on the device too."""
    traced: Any = torch_neuronx.trace(neuron_networks.Encoder(), neuron_networks.sentences(2))
    parallel = torch_neuronx.DataParallel(traced, [0, 1])
    ids, mask = neuron_networks.sentences(4)
    wanted = neuron_networks.in_pieces(neuron_networks.Encoder(), 2, ids, mask)
    by_name = parallel(input_ids=ids, attention_mask=mask)
    on_device = parallel(ids.to("neuron:0"), attention_mask=mask.to("neuron:0"))
    right = neuron_networks.same(by_name, wanted), neuron_networks.same(on_device, wanted)
    return *right, str(on_device["pooler_output"].device)


def test_data_parallel_takes_names_and_joins_dicts_and_keeps_tensors_on_the_device(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, nested_and_named) == (True, True, "neuron:0")


def along_the_second_dimension() -> tuple[bool, bool]:
    traced: Any = torch_neuronx.trace(Added(), (torch.ones(3, 2), torch.ones(3, 2)))
    parallel = torch_neuronx.DataParallel(traced, [0, 1], dim=1)
    values = torch.arange(12.0).reshape(3, 4)
    return traced.neuron_model.dynamic_batch(), torch.equal(parallel(values, values), values * 2)


def test_data_parallel_splits_another_dimension_without_dynamic_batching(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, along_the_second_dimension) == (False, True)


def saved(path: str) -> None:
    compiled().save(path)


def loaded_again(path: str) -> tuple[list[str], list[str], list[str], int]:
    """Load a file, then spread it: it leaves the core it was loaded on."""
    model = neuron_models.jit_load(path)
    before = spans(model)
    parallel = torch_neuronx.DataParallel(model, [2, 5])
    after = spans(parallel), spans(model)
    images = neuron_networks.images(8)
    wanted = neuron_networks.in_pieces(neuron_networks.Convolutions(), 2, images)
    assert neuron_networks.same(parallel(images), wanted)
    return before, *after, sum(torch.ops.neuron.core_usage())


def test_data_parallel_of_a_loaded_file_unloads_and_loads_it_again(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, saved, path)
    assert processes.run(machine, loaded_again, path) == (["0"], ["2", "5"], ["2"], 2)


def concurrent_chunks() -> tuple[int, int]:
    """Chunks run at the same time, on as many threads as there are workers."""
    together = threading.Barrier(4)

    class Meeting(torch.nn.Module):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            together.wait()
            return values * threading.get_ident()

    parallel = torch_neuronx.DataParallel(Meeting(), [0, 1])
    parallel.split_size, parallel.num_workers = 1, 4
    before = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - a count of threads
    result = parallel(torch.ones(4, 1, dtype=torch.int64))
    return len(set(result.flatten().tolist())), len(os.listdir("/proc/self/task")) - before  # noqa: PTH208


def test_chunks_run_on_num_workers_threads(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, concurrent_chunks) == (4, 4)


def no_tensor() -> str:
    parallel = torch_neuronx.DataParallel(torch.nn.Identity(), [0, 1])
    with pytest.raises(RuntimeError) as raised:
        parallel("text")
    return str(raised.value)


def test_data_parallel_needs_something_to_split(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, no_tensor) == "DataParallel has nothing to split: pass at least one tensor"


def dimension_as_programs_give_it() -> tuple[bool, int]:
    """Published programs give `False` in the third place, where the dimension is."""
    parallel = torch_neuronx.DataParallel(compiled(), [0, 1], False)
    images = neuron_networks.images(4)
    wanted = neuron_networks.in_pieces(neuron_networks.Convolutions(), 2, images)
    return neuron_networks.same(parallel(images), wanted), parallel.dim


def test_false_is_the_first_dimension(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, dimension_as_programs_give_it) == (True, 0)
