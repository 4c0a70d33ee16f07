"""Single cores of Trn2: two neighbours fill one stack of HBM, in one process and in two."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module, session

GIB = 1 << 30
USABLE = 24 * GIB - (16 << 20)
SINGLE = {"NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge", "NEURON_LOGICAL_NC_CONFIG": "1"}
MOST_PIECES = 23
"""Of 1 GiB: 22 in the main pool, whose carve-out spoils one, and the small pool."""

ops: Any = torch.ops.neuron
kept: list[torch.Tensor] = []
"""What a scenario leaves on the device until its process ends."""


def block(size: int, core: int = 0) -> torch.Tensor:
    return torch.empty(size, dtype=torch.uint8, device=f"neuron:{core}")


@pytest.fixture
def single(machine: dict[str, str]) -> dict[str, str]:
    """The environment of a process on a Trn2 machine with 8 cores that are not joined."""
    return machine | SINGLE


def neighbours_fill_one_stack() -> None:
    assert device_module.mem_get_info(0) == device_module.mem_get_info(1) == (USABLE, USABLE)
    mine = block(20 * GIB, 0)
    assert device_module.mem_get_info(1) == (USABLE - 20 * GIB, USABLE)
    assert (device_module.memory_allocated(0), device_module.memory_allocated(1)) == (20 * GIB, 0)
    with pytest.raises(torch.OutOfMemoryError) as caught:
        block(4 * GIB, 1)
    assert (
        "neuron:1 (NeuronCore 1): 23.98 GiB in total, 0 B in tensors, 0 B in loaded models, "
        "20.00 GiB taken by the NeuronCore that shares this HBM, 3.98 GiB free in pieces of at most 2.98 GiB"
    ) in str(caught.value)
    assert block(22 * GIB, 2).nbytes == 22 * GIB  # the next stack
    theirs = block(2 * GIB, 1)
    assert theirs.data_ptr() == mine.data_ptr() + 20 * GIB  # one stack, one order of addresses
    del mine
    assert block(20 * GIB, 1).data_ptr() == theirs.data_ptr() - 20 * GIB
    assert (device_module.memory_allocated(0), device_module.memory_allocated(1)) == (0, 2 * GIB)
    assert device_module.max_memory_allocated(1) == 22 * GIB


def neighbours_keep_their_own_values() -> None:
    tensors = [torch.full((1000,), core, device=f"neuron:{core}") for core in (0, 1, 0, 1)]
    assert [int(tensor.sum().item()) for tensor in tensors] == [0, 1000, 0, 1000]
    assert torch.equal(tensors[0].to("neuron:1"), torch.zeros(1000, device="neuron:1"))
    assert [device_module.memory_allocated(core) for core in (0, 1)] == [16384, 16384]  # 2 x 8000 bytes


@pytest.mark.parametrize("scenario", [neighbours_fill_one_stack, neighbours_keep_their_own_values])
def test_cores_of_one_process_share_their_stack(
    scenario: Callable[[], None], processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    processes.run(single, scenario)


def hold(gib: int) -> tuple[int, int]:
    """Fill so much of the first core and stay; return what is free and the limit."""
    kept.append(block(gib * GIB))
    return device_module.mem_get_info(0)


def fits(gib: int) -> bool:
    try:
        return block(gib * GIB).nbytes == gib * GIB
    except torch.OutOfMemoryError as error:
        assert "taken by the NeuronCore that shares this HBM" in str(error)  # noqa: PT017 - one of two good ends
        return False


def core(number: int) -> dict[str, str]:
    return {"NEURON_RT_VISIBLE_CORES": str(number)}


def test_processes_on_one_stack_see_each_others_memory(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(4), hold, 20) as first:
        assert first.outcome().value == (USABLE - 20 * GIB, USABLE)
        assert processes.run(single | core(5), fits, 4) is False
        assert processes.run(single | core(5), hold, 3) == (USABLE - 23 * GIB, USABLE)
        assert processes.run(single | core(6), fits, 22) is True
        assert processes.run(single | core(3), fits, 22) is True


def test_memory_of_a_killed_process_is_its_neighbours_again(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(4), hold, 20) as first, processes.start(single | core(5), hold, 3) as second:
        assert first.outcome().value[1] == second.outcome().value[1] == USABLE
        first.kill()
        assert processes.run(single | core(4), fits, 20) is True
        assert processes.run(single | core(4), fits, 21) is False
        second.kill()
        assert processes.run(single | core(4), hold, 22) == (USABLE - 22 * GIB, USABLE)


def hold_with_a_lingering_child(gib: int) -> int:
    hold(gib)
    if (child := os.fork()) == 0:
        kept.clear()  # a child frees what it inherited; that must not be taken off its parent's account
        signal.pause()
    return child


def test_lingering_child_does_not_keep_the_memory_of_its_dead_parent(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(0), hold_with_a_lingering_child, 20) as first:
        child = first.outcome().value
        try:
            assert processes.run(single | core(1), fits, 4) is False
            first.kill()
            assert processes.run(single | core(1), fits, 20) is True
        finally:
            os.kill(child, signal.SIGKILL)


def close_and_stay() -> None:
    hold(20)
    kept.clear()
    session.close()


def test_memory_of_a_closed_runtime_is_its_neighbours_again(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(0), close_and_stay) as first:
        assert first.outcome().value is None
        assert processes.run(single | core(1), hold, 22) == (USABLE - 22 * GIB, USABLE)


def take_all() -> int:
    """Take pieces of 1 GiB until there are no more."""
    for _ in range(MOST_PIECES + 1):
        try:
            kept.append(block(GIB))
        except torch.OutOfMemoryError:
            break
    return len(kept)


def test_processes_that_race_for_a_stack_take_all_of_it_and_no_more(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(2), take_all) as first, processes.start(single | core(3), take_all) as second:
        assert first.outcome().value + second.outcome().value == MOST_PIECES


def churn_and_count() -> tuple[int, int]:
    for number in range(3000):
        kept.append(block((1 + number % 5) << 20))
        if len(kept) > 40:
            kept.pop(number % 40)
    kept.clear()
    return device_module.memory_allocated(0), device_module.memory_stats(0)["num_ooms"]


def test_processes_that_share_a_stack_leave_nothing_behind(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    with processes.start(single | core(2), churn_and_count) as first:
        assert processes.run(single | core(3), churn_and_count) == first.outcome().value == (0, 0)
        assert processes.run(single | core(3), hold, 1) == (USABLE - GIB, USABLE)


def even_shares() -> list[tuple[int, int]]:
    """A pod's cores 1 to 3: the first one's stack is half somebody else's, and there is no place to meet."""
    ops.configure(3, 12 * GIB, 1, cores_per_stack=2)
    return [device_module.mem_get_info(core) for core in range(3)]


def test_cores_have_an_even_share_where_processes_cannot_meet(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    half = 12 * GIB - (16 << 20)
    assert processes.run(single, even_shares) == [(half, half), (USABLE, USABLE), (USABLE, USABLE)]


def refused_layouts() -> list[str]:
    said = []
    for arguments in ({"cores_per_stack": 3}, {"cores_per_device": 0}, {"cores_per_stack": 2, "ledgers": "/nowhere"}):
        try:
            ops.configure(1, 12 * GIB, 0, **arguments)
        except RuntimeError as error:
            said.append(str(error))
    ops.configure(1, 12 * GIB, 0)
    return said


def test_layouts_that_cannot_be_are_refused_and_leave_nothing(
    processes: neuron_processes.Parent, single: dict[str, str]
) -> None:
    said = processes.run(single, refused_layouts)
    parts = ("1 or 2 NeuronCores share an HBM, got 3", "with 0 cores per device", "cannot open /nowhere/0.ledger")
    assert len(said) == len(parts)
    assert all(part in text for part, text in zip(parts, said, strict=True))
