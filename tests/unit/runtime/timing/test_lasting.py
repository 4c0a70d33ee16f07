"""Executions that last what a NeuronCore needs. Of the machine's clock only is asserted that nothing is shorter."""

import io
import itertools
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.cores import rates
from neuronspan_runtime.models import model as models
from neuronspan_runtime.timing import pricing

ops: Any = torch.ops.neuron
NAMES = ("simulated_nanoseconds", "computing_nanoseconds", "busy_nanoseconds")
OVERHEAD = rates.OVERHEAD_NANOSECONDS


@pytest.fixture
def timed(machine: dict[str, str]) -> dict[str, str]:
    """The environment of a process in which an execution lasts a thousand times what a core needs.

    The CPU, however busy, is faster than that: when it is not, a warning says so, and warnings are errors here.
    """
    return machine | {"NEURONSPAN_TIME": "device", "NEURONSPAN_TIME_SCALE": "1000"}


def traced(rows: int = 2, **options: Any) -> Any:
    return torch_neuronx.trace(neuron_models.Small(), neuron_models.example(rows), **options)


def numbers(core: int = 0) -> tuple[int, int, int]:
    """What executions were to last, what the CPU needed, and how long the core was busy."""
    found = ops.memory_stats(core)
    simulated, computing, busy = (int(found[name]) for name in NAMES)
    return simulated, computing, busy


def without_the_option_nothing_of_it_happens() -> tuple[bool, tuple[int, int]]:
    for name in [name for name in sys.modules if name.startswith("neuronspan_runtime.timing")]:
        del sys.modules[name]  # this file imports it, for the scenarios beside this one
    model, values = traced(), neuron_models.example()
    for _ in range(3):
        model(values)
    model(values.to("neuron:0")).cpu()
    assert ops.memory_stats(0)["executions"] == 4
    imported = any(name.startswith("neuronspan_runtime.timing") for name in sys.modules)
    return imported, numbers()[:2]


@pytest.mark.parametrize("variables", [{}, {"NEURONSPAN_TIME": "cpu", "NEURONSPAN_TIME_SCALE": "1000"}])
def test_without_the_option_no_model_is_counted_and_nothing_waits(
    variables: dict[str, str], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    imported, simulated_and_computing = processes.run(machine | variables, without_the_option_nothing_of_it_happens)
    assert not imported
    assert simulated_and_computing == (0, 0)


def calls_last_what_was_predicted() -> None:
    model, values = traced(), neuron_models.example()
    with torch.no_grad():
        expected = neuron_models.Small()(values)
    found = [model(values) for _ in range(3)]
    assert all(torch.equal(one, expected) for one in found)
    (held,) = models.models_of(model)
    (each,) = pricing.durations(held)
    simulated, computing, busy = numbers()
    assert simulated == 3 * each
    assert each > 1000 * OVERHEAD
    assert busy >= simulated > computing > 0


def test_calls_last_what_was_predicted_and_compute_what_they_did(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    processes.run(timed, calls_last_what_was_predicted)


def scaled() -> int:
    (held,) = models.models_of(traced())
    return pricing.durations(held)[0]


def test_scale_multiplies(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    one, ten = (processes.run(timed | {"NEURONSPAN_TIME_SCALE": scale}, scaled) for scale in ("1", "10"))
    assert one > OVERHEAD
    assert ten == pytest.approx(10 * one, abs=10)


def running(core: int) -> None:
    """Return when an execution has the core."""
    while not ops.memory_stats(core)["executions"] and not busy_now(core):
        time.sleep(0.001)  # looks again: another thread's execution is about to begin


def busy_now(core: int) -> bool:
    """Whether an execution has waited for its time on the core: it counts what it is to last before it waits."""
    return bool(ops.memory_stats(core)["simulated_nanoseconds"])


def in_background(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def one_core_is_a_queue_and_two_are_not() -> None:
    """A long execution on core 0; meanwhile core 1 answers, and Python runs."""
    long, beside = traced(), traced()
    values = neuron_models.example()
    torch_neuronx.set_neuron_cores(long, 0, 1)
    torch_neuronx.set_neuron_cores(beside, 1, 1)
    ops.set_pace(True, 0.0, 0.0)
    for module in (long, beside):
        (held,) = models.models_of(module)
        pricing.program_of(held)  # counted before, so that only executions take time below
    waiting = in_background(lambda: long(values))
    running(0)
    ops.set_pace(False, 0.0, 0.0)  # what begins from now on lasts what the CPU needs
    beside(values)
    assert waiting.is_alive()  # core 1 did not wait for core 0, and neither did the GIL
    assert ops.memory_stats(0)["executions"] == 0
    on_the_same = in_background(lambda: long(values))
    on_the_same.join()
    assert ops.memory_stats(0)["executions"] == 2  # it came after the long one had ended
    waiting.join()


def test_executions_queue_on_one_core_and_overlap_on_two(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    """The long one lasts half a second: 5 000 times the overhead of 90 us."""
    processes.run(timed | {"NEURONSPAN_TIME_SCALE": "5000"}, one_core_is_a_queue_and_two_are_not)


def waiting_takes_no_cpu() -> float:
    model, values = traced(), neuron_models.example()
    model(values)
    began = time.process_time()
    model(values)
    return time.process_time() - began


def test_waiting_takes_no_cpu(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    """A second of waiting; what it takes of the CPU's time is the execution, not a loop."""
    assert processes.run(timed | {"NEURONSPAN_TIME_SCALE": "9000"}, waiting_takes_no_cpu) < 0.2


def pipeline_stages_last_on_their_own_cores() -> None:
    arguments = ["--neuroncore-pipeline-cores", "2"]
    model = torch_neuron.trace(neuron_models.Small(), neuron_models.example(), compiler_args=arguments)
    for _ in range(2):
        model(neuron_models.example())
    (held,) = models.models_of(model)
    stages = pricing.durations(held)
    assert [numbers(core)[0] for core in (0, 1)] == [2 * each for each in stages]


def test_stages_of_a_pipeline_last_on_their_own_cores(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    processes.run(timed, pipeline_stages_last_on_their_own_cores)


def rows_beyond_the_batch_are_more_executions() -> None:
    model = torch_neuronx.dynamic_batch(traced(2))
    model(neuron_models.example(5))
    (held,) = models.models_of(model)
    assert numbers()[0] == 3 * pricing.durations(held)[0]


def test_each_run_of_a_dynamic_batch_lasts(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    processes.run(timed, rows_beyond_the_batch_are_more_executions)


class Half(torch.nn.Module):
    """A part that is compiled before and behind one that stays on the CPU."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(torch.sin(values @ values.t()) * 2) @ values


def parts_last_each() -> None:
    config = torch_neuronx.PartitionerConfig(ops_to_partition={"aten::sin"})
    model = torch_neuronx.trace(Half(), neuron_models.example(), partitioner_config=config)
    model(neuron_models.example())
    held = list(models.models_of(model))
    assert len(held) == 2
    assert sum(numbers(core)[0] for core in range(2)) == sum(sum(pricing.durations(one)) for one in held)


def test_parts_of_a_model_last_each(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    processes.run(timed, parts_last_each)


def copies_take_the_links_time() -> tuple[float, float, float]:
    values = torch.zeros(1000)
    ops.initialize()
    ops.set_pace(True, 20_000.0, 10_000.0)  # nanoseconds a byte: 80 ms there, 40 ms back
    times = [time.monotonic()]
    there = values.to("neuron:0")
    times.append(time.monotonic())
    there.clone()
    times.append(time.monotonic())
    there.cpu()
    times.append(time.monotonic())
    first, second, third = (after - before for before, after in itertools.pairwise(times))
    return first, second, third


def test_copies_take_the_links_time_in_their_direction(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    there, _, back = processes.run(timed, copies_take_the_links_time)
    assert there >= 0.08
    assert back >= 0.04


def slower_than_the_device() -> None:
    """No CPU does it in a few nanoseconds. Warnings are errors here, and what is said is none."""
    model, values = traced(), neuron_models.example()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            model(values)
    simulated, computing, busy = numbers()
    assert computing > simulated > 0
    assert busy >= computing


def test_execution_that_the_cpu_is_too_slow_for_lasts_what_it_needs_and_says_so_once(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    with processes.start(timed | {"NEURONSPAN_TIME_SCALE": "0.00002"}, slower_than_the_device) as process:
        assert process.outcome().log.count("NEURONSPAN_TIME=device: the CPU needed ") == 1


class Draws(torch.nn.Module):
    """Needs values to know its shapes, and random numbers."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values + torch.rand_like(values)


def counting_draws_no_random_numbers() -> None:
    torch.manual_seed(5)
    with torch.no_grad():
        expected = Draws()(neuron_models.example())
    model = torch_neuronx.trace(Draws(), neuron_models.example())
    torch.manual_seed(5)
    assert torch.equal(model(neuron_models.example()), expected)


def test_counting_draws_no_random_numbers(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    processes.run(timed, counting_draws_no_random_numbers)


def one_count_for_all_copies() -> int:
    file = io.BytesIO()
    torch.jit.save(traced(), file)
    counted = 0
    module: Any = pricing
    original = module._stages

    def counting(*arguments: Any) -> Any:
        nonlocal counted
        counted += 1
        return original(*arguments)

    module._stages = counting
    load: Any = torch.jit.load
    for _ in range(3):
        file.seek(0)
        load(file)(neuron_models.example())
    return counted


def test_program_is_counted_once_in_a_process(processes: neuron_processes.Parent, timed: dict[str, str]) -> None:
    assert processes.run(timed, one_count_for_all_copies) == 1


def starts_anew_with_another_scale() -> tuple[int, int]:
    model = traced()
    model(neuron_models.example())
    first = numbers()[0]
    (held,) = models.models_of(model)
    held.unload()
    neuronspan_runtime.close()
    os.environ["NEURONSPAN_TIME_SCALE"] = "3000"  # noqa: TID251 - the scenario's own environment
    model(neuron_models.example())
    return first, numbers()[0]


def test_runtime_that_starts_anew_reads_the_scale_again(
    processes: neuron_processes.Parent, timed: dict[str, str]
) -> None:
    first, second = processes.run(timed, starts_anew_with_another_scale)
    assert second == pytest.approx(3 * first, abs=3)
