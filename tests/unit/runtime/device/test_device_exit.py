"""A process may end whatever it has on the device: exit status 0, nothing on standard error."""

import atexit
import concurrent.futures
import ctypes
import os
import pathlib
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils import data

import torch_neuron
from kits.device import neuron_models, neuron_processes, neuron_programs

kept: list[Any] = []
"""Alive until the interpreter is taken down."""

untyped: Any = torch
"""torch, where it has no types of its own."""


def nothing_was_used(directory: pathlib.Path) -> None:
    kept.append(directory)


def tensors(directory: pathlib.Path) -> None:
    base = torch.ones(4, device="neuron:1")
    kept.extend([base, base[1:], torch.eye(3).to_sparse().to("neuron"), torch.ones(2).pin_memory()])


def a_cycle(directory: pathlib.Path) -> None:
    cycle: dict[str, Any] = {"tensor": torch.ones(4, device="neuron")}
    cycle["self"] = cycle
    kept.append(cycle)


def a_graph_after_backward(directory: pathlib.Path) -> None:
    weight = torch.ones(3, device="neuron:1", requires_grad=True)
    loss: Any = (weight * weight).sum()
    loss.backward()
    kept.extend([weight, loss, (weight * 2).sum()])


def a_module_in_training(directory: pathlib.Path) -> None:
    module = torch.nn.LSTM(3, 3).to("neuron:1")
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(2, 1, 3, device="neuron:1"))[0].sum().backward()
    optimizer.step()
    kept.extend([module, optimizer])


def loaded_models(directory: pathlib.Path) -> None:
    kept.append(neuron_models.load(directory, 1))
    torch_neuron.experimental.set_multicore(kept[0])
    kept.append(neuron_models.load(directory, 4))
    neuron_models.check(kept[0], 1)


def threads_that_are_still_at_work(directory: pathlib.Path) -> None:
    begun = threading.Event()

    def work() -> None:
        begun.set()
        for _ in range(300):
            kept[:] = [torch.ones(8, 8, device="neuron:1") @ torch.ones(8, 8, device="neuron:1")]

    kept.append(threading.Thread(target=work))
    kept[0].start()
    begun.wait()


def a_pool_with_results(directory: pathlib.Path) -> None:
    pool = concurrent.futures.ThreadPoolExecutor(2)
    kept.extend([pool, *(pool.submit(untyped.ones, 4, device=f"neuron:{index}") for index in range(4))])


def generators_streams_and_events(directory: pathlib.Path) -> None:
    event = torch.Event(device="neuron:0")
    event.record(torch.Stream(device="neuron:0"))
    kept.extend([torch.Generator("neuron:1"), event, torch.Stream(device="neuron:1")])


def a_loader_in_the_middle(directory: pathlib.Path) -> None:
    loader = data.DataLoader(data.TensorDataset(torch.ones(8, 2)), batch_size=2, pin_memory=True, num_workers=1)
    batches: Any = iter(loader)
    kept.extend([batches, next(batches)[0].to("neuron")])
    while batches._data_queue.qsize() < loader.prefetch_factor:  # torch complains of a worker that ends while it sends
        time.sleep(0.01)


def handlers_that_use_the_device(directory: pathlib.Path) -> None:
    tensor = torch.ones(3, device="neuron")
    atexit.register(lambda: torch.ones(3, device="neuron:1").sum().item())
    weakref.finalize(tensor, lambda: torch.ones(3, device="neuron").add_(1))
    kept.append(tensor)


def an_error_that_holds_tensors(directory: pathlib.Path) -> None:
    tensor = torch.ones(2, 3, device="neuron")
    try:
        tensor @ tensor
    except RuntimeError as error:
        sys.last_value = error
        kept.append(error)


VARIANTS: list[Callable[[pathlib.Path], None]] = [
    nothing_was_used,
    tensors,
    a_cycle,
    a_graph_after_backward,
    a_module_in_training,
    loaded_models,
    threads_that_are_still_at_work,
    a_pool_with_results,
    generators_streams_and_events,
    a_loader_in_the_middle,
    handlers_that_use_the_device,
    an_error_that_holds_tensors,
]


def status_after(variant: int, directory: pathlib.Path) -> int:
    """Do it in a child process that ends as the interpreter ends; return how."""
    if (child := os.fork()) == 0:
        warnings.filterwarnings("ignore", category=ResourceWarning)  # as Python does: torch 2.6 has one
        try:
            VARIANTS[variant](directory)
        except BaseException:  # noqa: BLE001 - the parent is told by the status
            os._exit(9)
        ctypes.pythonapi.Py_Exit(0)  # threads are joined, handlers run, modules go, then the libraries' own destructors
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("variant", range(len(VARIANTS)), ids=[variant.__name__ for variant in VARIANTS])
def test_process_ends_well_with(
    variant: int, processes: neuron_processes.Parent, machine: dict[str, str], model_files: pathlib.Path
) -> None:
    with processes.start(machine, status_after, variant, model_files) as process:
        outcome = process.outcome()
    assert (outcome.value, outcome.log) == (0, "")


PROGRAM = """
import torch, torch_neuronx
tensor = torch.ones(3, device="neuron:1", requires_grad=True)
module = torch.nn.Linear(3, 3).to("neuron:1")
loss = module(tensor).sum()
loss.backward()
model = torch.jit.load(MODEL)
model(torch.ones(2, 6))
print("done")
"""


def test_program_ends_well_with_everything_alive(machine: dict[str, str], model_files: pathlib.Path) -> None:
    program = PROGRAM.replace("MODEL", repr(neuron_models.file_of(model_files, 2)))
    done = neuron_programs.run(machine, program, warnings=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
