"""HBM: what is charged, what does not fit, what is given back, and that the host cannot touch it."""

import gc
import os
import pathlib
import threading
from collections.abc import Callable

import pytest
import torch

from kits.device import neuron_processes, neuron_programs
from neuronspan_runtime.device import device_module

FIRST = "neuron:0"
PAGE = 4096
GIB = 1 << 30
HBM = 2 * GIB  # of a core of the machine fixture, an Inf1
TRN2 = {"NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge", "NEURONSPAN_GRANT": "0-3"}


def allocated(core: int = 0) -> int:
    gc.collect()
    return device_module.memory_allocated(core)


def resident() -> int:
    """Return the bytes of host memory this process really uses."""
    return int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def sizes_are_charged_in_pages_and_given_back() -> None:
    assert allocated() == 0
    small, large = torch.empty(1, device=FIRST), torch.empty(PAGE + 1, dtype=torch.uint8, device=FIRST)
    assert allocated() == 3 * PAGE
    view = large[1:]
    del small, large
    assert allocated() == 2 * PAGE  # a view keeps its storage
    del view
    assert allocated() == 0
    assert device_module.max_memory_allocated(0) == 3 * PAGE
    assert allocated(1) == 0
    assert torch.empty(0, device=FIRST).data_ptr() == 0


def a_training_step_leaves_nothing_behind() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8)).to(FIRST)
    model(torch.randn(4, 64, device=FIRST)).sum().backward()
    assert allocated() > 64 * 64 * 4
    del model
    assert allocated() == 0


def too_large_tensors_are_refused() -> None:
    held = torch.empty(HBM // 2, dtype=torch.uint8, device=FIRST)
    more = torch.empty(HBM // 4, dtype=torch.uint8, device=FIRST)
    requests: list[Callable[[], object]] = [
        lambda: torch.empty(HBM // 4 + 1, dtype=torch.uint8, device=FIRST),
        lambda: held + 1,
        held.clone,
        lambda: more.resize_(HBM),
        lambda: torch.empty(HBM // 2, dtype=torch.uint8).to(FIRST),
    ]
    for request in requests:
        with pytest.raises(torch.OutOfMemoryError) as caught:
            request()
        text = str(caught.value)
        assert 'nrt_tensor_allocate status=4 message="Allocation Failure"' in text
        assert (
            "neuron:0 (NeuronCore 0): 2.00 GiB in total, 1.50 GiB in tensors, 0 B in loaded models, 512.00 MiB free"
            in text
        )
        assert "use another one" in text
        assert isinstance(caught.value, RuntimeError)
    assert allocated() == HBM // 4 * 3
    assert device_module.memory_stats(0)["num_ooms"] == len(requests)
    assert torch.empty(HBM, dtype=torch.uint8, device="neuron:1").nbytes == HBM  # the other core is empty


def what_was_refused_fits_after_others_are_gone() -> None:
    too_large_tensors_are_refused()
    assert allocated() == 0
    assert torch.empty(HBM, dtype=torch.uint8, device=FIRST).nbytes == HBM


def newer_hardware_keeps_a_part_for_itself() -> None:
    assert device_module.mem_get_info(0) == (16 * GIB - (16 << 20),) * 2


def big_tensors_use_host_memory_only_where_they_are_written() -> None:
    before = resident()
    tensor = torch.zeros(22 * GIB, dtype=torch.uint8, device=FIRST)
    tensor[GIB] = 3
    assert (tensor[GIB].item(), tensor[0].item(), tensor[-1].item()) == (3, 0, 0)
    assert resident() - before < 100 << 20
    tensor.zero_()
    assert tensor[GIB].item() == 0


def zeroing_by_dropping_touches_nothing_else() -> None:
    size = 80 << 20  # from 64 MiB on, the pages of what is zeroed go back to the host
    whole = torch.full((size,), 7, dtype=torch.uint8, device=FIRST)
    whole[5 : size - 5].zero_()
    assert whole[:5].cpu().eq(7).all()
    assert whole[-5:].cpu().eq(7).all()
    assert whole.sum().item() == 70
    spread = torch.full((size, 2), 7, dtype=torch.uint8, device=FIRST)
    spread[:, 0].zero_()
    assert (spread[:, 0].sum().item(), spread[:, 1].sum().item()) == (0, 7 * size)


def freed_memory_goes_back_to_the_host() -> None:
    torch.ones(1 << 20, dtype=torch.uint8, device=FIRST).add_(1)  # torch makes its threads
    before = resident()
    torch.ones(100 << 20, dtype=torch.uint8, device=FIRST)
    assert resident() - before < 10 << 20  # big blocks at once
    for _ in range(20):
        torch.ones(32 << 20, dtype=torch.uint8, device=FIRST).add_(1)
    kept = [torch.ones(32 << 20, dtype=torch.uint8, device=FIRST) for _ in range(16)]
    kept.clear()
    assert resident() - before < 300 << 20  # of smaller ones a limited part is kept for reuse
    device_module.empty_cache()
    assert resident() - before < 10 << 20


def threads_share_the_books() -> None:
    problems: list[str] = []

    def work(index: int) -> None:
        for _ in range(50):
            ones = torch.ones(16, 16, device=f"neuron:{index % 2}")
            if (ones @ ones).sum().item() != 16 * 16 * 16:
                problems.append("wrong sum")

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert allocated(0) == allocated(1) == 0


def transfers_are_counted_by_direction() -> None:
    host = torch.ones(1000)
    there = host.to(FIRST)
    there.cpu()
    there.clone()
    there.to("neuron:1")
    there[0].item()
    stats = device_module.memory_stats(0)
    assert stats["host_to_device_bytes"] == 4000
    assert stats["device_to_host_bytes"] == 4004
    assert stats["device_to_device_bytes"] == 4000  # the clone; the copy to neuron:1 is that core's
    directions = ("host_to_device", "device_to_host", "device_to_device")
    assert [stats[f"{direction}_transfers"] for direction in directions] == [1, 2, 1]
    stats = device_module.memory_stats(1)
    assert [stats[f"{direction}_bytes"] for direction in directions] == [0, 0, 4000]
    assert [stats[f"{direction}_transfers"] for direction in directions] == [0, 0, 1]


def a_forked_child_is_told_why_it_cannot() -> None:
    there = torch.ones(4, device=FIRST)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, "\n".join(_refusals(there)).encode())
        del there
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    refusals = os.read(reader, 1 << 16).decode().splitlines()
    assert len(refusals) == 6
    assert all("forked child process: the NeuronCores belong to the parent" in text for text in refusals)
    assert there.sum().item() == 4


def _refusals(there: torch.Tensor) -> list[str]:
    """Return what each use of the device says; the rest of torch must go on working."""
    uses: list[Callable[[], object]] = [
        lambda: torch.ones(1, device=FIRST),
        lambda: there + 1,
        lambda: there.add_(1),
        there.cpu,
        there[0].item,
        device_module.device_count,
    ]
    texts = []
    for use in uses:
        try:
            use()
        except RuntimeError as error:
            texts.append(str(error))
    assert device_module._is_in_bad_fork()
    assert not device_module.is_available()
    torch.manual_seed(0)
    return texts


def a_child_forked_before_the_first_use_works() -> None:
    if (child := os.fork()) == 0:
        os._exit(int(torch.ones(4, device=FIRST).sum().item()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    assert torch.ones(2, device=FIRST).sum().item() == 2


@pytest.mark.parametrize(
    ("scenario", "settings"),
    [
        (sizes_are_charged_in_pages_and_given_back, {}),
        (a_training_step_leaves_nothing_behind, {}),
        (too_large_tensors_are_refused, {}),
        (what_was_refused_fits_after_others_are_gone, {}),
        (newer_hardware_keeps_a_part_for_itself, {"NEURONSPAN_INSTANCE_TYPE": "trn1.32xlarge"}),
        (big_tensors_use_host_memory_only_where_they_are_written, TRN2),
        (zeroing_by_dropping_touches_nothing_else, {}),
        (freed_memory_goes_back_to_the_host, {}),
        (threads_share_the_books, {}),
        (transfers_are_counted_by_direction, {}),
        (a_forked_child_is_told_why_it_cannot, {}),
        (a_child_forked_before_the_first_use_works, {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_memory(
    scenario: Callable[[], None],
    settings: dict[str, str],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    processes.run(machine | settings, scenario)


DEREFERENCE = """
import ctypes, torch, torch_neuronx
tensor = torch.ones(4, device="neuron")
print("value", tensor[0].item(), flush=True)
ctypes.c_float.from_address(tensor.data_ptr()).value
"""


def test_memory_cannot_be_read_by_the_host(machine: dict[str, str]) -> None:
    result = neuron_programs.run(machine, DEREFERENCE)
    assert result.stdout == "value 1.0\n", result.stderr
    assert result.returncode == -11  # SIGSEGV
