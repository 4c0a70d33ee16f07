"""What whole programs do with a device: move modules about, load data, compile, export, script, use threads."""

import io
import os
import pathlib
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import reduction
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import data

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

FIRST = "neuron:0"
SECOND = "neuron:1"

untyped: Any = torch
"""torch, where it has no types of its own."""


def data_changes_its_device() -> None:
    parameter: Any = nn.Parameter(torch.ones(3))
    (parameter * 2).sum().backward()
    parameter.data = torch.full((2,), 5.0, device=SECOND)
    assert (parameter.device.index, parameter.tolist(), parameter.requires_grad) == (1, [5.0, 5.0], True)
    parameter.grad = None
    (parameter * 2).sum().backward()
    assert parameter.grad.device == torch.device(SECOND)
    parameter.data = torch.zeros(4)
    assert parameter.device.type == "cpu"
    with pytest.raises(RuntimeError, match="incompatible tensor type"):
        parameter.data = torch.eye(2).to_sparse()


def modules_keep_their_parameters_when_they_move() -> None:
    module: Any = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    parameters = list(module.parameters())
    optimizer = torch.optim.SGD(parameters, lr=1.0)  # made before the move, as on every other accelerator
    module(torch.ones(3, 2)).sum().backward()
    module.to(SECOND)
    assert all(now is before for now, before in zip(module.parameters(), parameters, strict=True))
    assert all(parameter.grad is not None and parameter.grad.device.index == 1 for parameter in parameters)
    before = module[0].weight.tolist()
    module(torch.rand(3, 2, device=SECOND)).square().sum().backward()
    optimizer.step()
    assert module[0].weight.tolist() != before
    assert module.cpu()[0].weight is parameters[0]
    assert module.neuron()[0].weight.device.type == "neuron"


def script_modules_move() -> None:
    scripted = untyped.jit.script(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval())
    expected = scripted(torch.ones(1, 2))
    scripted.to(SECOND)
    assert {parameter.device for parameter in scripted.parameters()} == {torch.device(SECOND)}
    assert torch.equal(scripted(torch.ones(1, 2, device=SECOND)).cpu(), expected)
    assert torch.equal(scripted.cpu()(torch.ones(1, 2)), expected)


def doubled(values: torch.Tensor, times: int) -> torch.Tensor:
    for _ in range(times):
        values = values * 2 if bool(values.sum() > 0) else values - 1
    return values


def scripts_with_control_flow_run() -> None:
    scripted = untyped.jit.script(doubled)
    assert scripted(torch.ones(2, device=FIRST), 3).tolist() == [8, 8]
    assert scripted(torch.full((2,), -1.0, device=SECOND), 2).device.index == 1
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        untyped.jit.trace(nn.Linear(2, 2), torch.ones(1, 2))(torch.ones(1, 2, device=FIRST))


def compiled_functions_run() -> None:
    compiled = torch.compile(lambda values: values.relu() + 1, backend="eager")
    assert compiled(torch.ones(2, device=FIRST)).tolist() == [2, 2]
    layer: Any = torch.compile(nn.Linear(2, 2).to(SECOND), backend="eager")
    layer(torch.ones(1, 2, device=SECOND)).sum().backward()
    assert layer.weight.grad is not None


def exported_programs_move() -> None:
    layer = nn.Linear(2, 2).eval()
    expected = layer(torch.ones(1, 2))
    exported = torch.export.export(layer, (torch.ones(1, 2),)).module().to(FIRST)  # it has the layer's own parameters
    assert torch.equal(exported(torch.ones(1, 2, device=FIRST)).cpu(), expected)


class Squares(data.Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor([float(index**2)])


def batches(**options: Any) -> Iterator[torch.Tensor]:
    yield from data.DataLoader(Squares(), batch_size=4, **options)


def data_is_loaded_by_workers_into_pinned_memory() -> None:
    for options in ({}, {"pin_memory": True}, {"pin_memory": True, "num_workers": 2}):
        if not torch.ops.neuron.is_initialized():
            loaded = list(batches(**options))
            assert not torch.ops.neuron.is_initialized() or options.get("pin_memory")
        assert torch.ones(1, device=FIRST).item() == 1  # the workers of the next round are forked after the first use
        loaded = list(batches(**options))
        assert all(batch.is_pinned() == ("pin_memory" in options) for batch in loaded)
        moved = [batch.to(SECOND, non_blocking=True) for batch in loaded]
        assert torch.cat(moved).flatten().tolist() == [float(index**2) for index in range(8)]


def host_memory_is_pinned() -> None:
    plain = torch.arange(4.0)
    pinned = plain.pin_memory()
    assert (plain.is_pinned(), pinned.is_pinned(), pinned[2:].is_pinned()) == (False, True, True)
    assert pinned.pin_memory() is pinned
    assert torch.equal(pinned.to(FIRST).cpu(), plain)
    assert torch.empty(3, pin_memory=True).is_pinned()
    assert pinned.untyped_storage().is_pinned()
    assert not pinned.to(FIRST).is_pinned()
    address = pinned.data_ptr()
    del pinned
    # the address may be used again, by memory that nobody asked to pin
    assert not any(other.is_pinned() for other in [torch.empty(4) for _ in range(100)] if other.data_ptr() == address)


def threads_use_their_own_devices() -> None:
    problems: list[BaseException] = []

    def work(index: int) -> None:
        try:
            device_module.set_device(index)
            for _ in range(50):
                weight = torch.ones(8, 8, device="neuron", requires_grad=True)
                (weight @ weight).sum().backward()  # type: ignore[no-untyped-call]
                assert weight.grad is not None
                assert (weight.device.index, weight.grad.sum().item()) == (index, 1024)
        except BaseException as error:  # noqa: BLE001 - the test reports it
            problems.append(error)

    threads = [threading.Thread(target=work, args=(index % 2,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert [device_module.memory_allocated(index) for index in range(2)] == [0, 0]


def a_thread_keeps_its_own_current_device() -> None:
    device_module.set_device(2)
    seen: list[int] = []

    def work() -> None:
        seen.append(device_module.current_device())
        device_module.set_device(5)
        seen.append(torch.empty(1, device="neuron").device.index)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (seen, device_module.current_device()) == ([0, 5], 2)


def sparse_tensors_live_on_the_device() -> None:
    host = torch.eye(3).to_sparse()
    there = host.to(SECOND)
    assert (there.device.index, there.layout, there._nnz()) == (1, torch.sparse_coo, 3)
    assert there.values().untyped_storage().device.type == "neuron"
    assert torch.equal((there @ torch.ones(3, 2, device=SECOND)).cpu(), torch.ones(3, 2))
    there.add_(there)
    assert torch.equal(there.coalesce().cpu().to_dense(), 2 * torch.eye(3))
    dense = torch.eye(3, device=FIRST, requires_grad=True)
    (dense.to_sparse().to_dense() * 2).sum().backward()  # type: ignore[no-untyped-call]
    assert dense.grad is not None
    assert torch.equal(dense.grad.cpu(), 2 * torch.eye(3))  # what was left out has no gradient
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)  # once per process
        rows = torch.eye(3, device=FIRST).to_sparse_csr()
    assert "device='neuron:0'" in str(rows)
    assert (rows @ torch.ones(3, 1, device=FIRST)).flatten().tolist() == [1, 1, 1]
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        untyped.mm(there, torch.ones(3, 2))
    file = io.BytesIO()
    torch.save(there, file)
    file.seek(0)
    assert torch.load(file).device.index == 1
    file.seek(0)
    assert torch.load(file, map_location="cpu").device.type == "cpu"


def embeddings_have_sparse_gradients() -> None:
    embedding = nn.Embedding(5, 3, sparse=True).to(FIRST)
    optimizer: Any = torch.optim.SparseAdam(embedding.parameters())
    before = embedding.weight.detach().cpu()
    embedding(torch.tensor([1, 2, 1], device=FIRST)).sum().backward()
    optimizer.step()
    changed = (embedding.weight.detach().cpu() != before).any(1)
    assert changed.tolist() == [False, True, True, False, False]


def what_is_not_there_is_refused() -> None:
    tensor = torch.ones(2, device=FIRST)
    with pytest.raises(RuntimeError, match="only available on CPU"):  # another process cannot own these cores
        reduction.ForkingPickler.dumps(tensor)
    with pytest.raises(RuntimeError, match="quantize on the CPU"):
        untyped.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


@pytest.mark.parametrize(
    "scenario",
    [
        data_changes_its_device,
        modules_keep_their_parameters_when_they_move,
        script_modules_move,
        scripts_with_control_flow_run,
        compiled_functions_run,
        exported_programs_move,
        data_is_loaded_by_workers_into_pinned_memory,
        host_memory_is_pinned,
        threads_use_their_own_devices,
        a_thread_keeps_its_own_current_device,
        sparse_tensors_live_on_the_device,
        embeddings_have_sparse_gradients,
        what_is_not_there_is_refused,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_device_runs_programs(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)


ELSEWHERE = """
import sys, torch
print(torch.load(sys.argv[1], map_location="cpu").tolist())
torch.load(sys.argv[1])
"""


def saved(path: pathlib.Path) -> None:
    torch.save(torch.arange(3.0, device=SECOND), path)


def test_saved_tensor_is_read_without_the_package_onto_the_cpu_only(
    processes: neuron_processes.Parent, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    processes.run(machine, saved, tmp_path / "tensor.pt")
    # torch would load an installed package by itself
    alone = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}  # noqa: TID251 - the tests have no settings module
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "tensor.pt")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    assert done.stdout == "[0.0, 1.0, 2.0]\n"
    assert "don't know how to restore data location" in done.stderr
    assert "(tagged with neuron:1)" in done.stderr
