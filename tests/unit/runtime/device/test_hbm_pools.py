"""Where requests find room in one stack of HBM: carve-out, small pool, first fit, fragments, and one more try."""

import gc
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.device import device_module
from neuronspan_runtime.models import model

PAGE = 4096
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SMALL = 512 * KIB
STACK = 16 * GIB
CARVE_OUT, SMALL_POOL = 16 * MIB, GIB
MAIN = STACK - CARVE_OUT - SMALL_POOL
MICROCODE = 96 * MIB
LEFT = MAIN - MICROCODE
"""Of the main pool, while a model is loaded."""

ops: Any = torch.ops.neuron


@pytest.fixture
def trn1(machine: dict[str, str]) -> dict[str, str]:
    """The environment of a process on a machine with two cores of 16 GiB."""
    return machine | {"NEURONSPAN_INSTANCE_TYPE": "trn1.2xlarge", "NEURONSPAN_GRANT": "0-1"}


def block(size: int, core: int = 0) -> torch.Tensor:
    return torch.empty(size, dtype=torch.uint8, device=f"neuron:{core}")


def base() -> int:
    """The address of the first byte of core 0's stack on a trn1: the lowest block comes right after the carve-out."""
    return block(MIB).data_ptr() - CARVE_OUT


def statistics(core: int = 0) -> dict[str, Any]:
    gc.collect()
    return device_module.memory_stats(core)


def resident() -> int:
    return int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE


def requests_find_the_pool_of_their_size() -> None:
    start = base()
    large, larger = block(SMALL + 1), block(GIB)
    small, smallest = block(SMALL), block(1)
    assert large.data_ptr() == start + CARVE_OUT
    assert larger.data_ptr() == start + CARVE_OUT + SMALL + PAGE
    assert small.data_ptr() == start + STACK - SMALL_POOL
    assert smallest.data_ptr() == start + STACK - SMALL_POOL + SMALL
    assert block(MIB, core=1).data_ptr() == start + STACK + CARVE_OUT


def each_pool_falls_back_to_the_other() -> None:
    start = base()
    everything = block(MAIN)
    assert (everything.data_ptr(), statistics()["free_bytes"]) == (start + CARVE_OUT, SMALL_POOL)
    assert block(SMALL + 1).data_ptr() == start + STACK - SMALL_POOL
    del everything
    small = [block(SMALL) for _ in range(SMALL_POOL // SMALL)]
    assert block(SMALL).data_ptr() == start + CARVE_OUT
    assert block(1).data_ptr() == start + CARVE_OUT
    small.pop(7)
    assert block(1).data_ptr() == start + STACK - SMALL_POOL + 7 * SMALL


def no_request_spans_both_pools() -> None:
    assert statistics()["free_bytes"] == device_module.mem_get_info(0)[0] == STACK - CARVE_OUT
    assert statistics()["largest_free_bytes"] == MAIN
    with pytest.raises(torch.OutOfMemoryError, match=r"15\.98 GiB free in pieces of at most 14\.98 GiB"):
        block(MAIN + 1)
    assert block(MAIN).nbytes == MAIN


def the_chip_is_not_one_memory() -> None:
    held = block(MAIN)
    with pytest.raises(torch.OutOfMemoryError, match="status=4"):
        block(GIB + 1)
    assert block(MAIN, core=1).nbytes == held.nbytes


def the_first_generation_has_one_plain_pool() -> None:
    first = block(1)
    second = block(SMALL + 1)
    assert second.data_ptr() == first.data_ptr() + PAGE
    assert block(2 * GIB, core=1).data_ptr() == first.data_ptr() + 2 * GIB
    assert statistics(1)["limit_bytes"] == statistics(1)["largest_free_bytes"] == 2 * GIB


def the_lowest_gap_that_fits_is_taken_and_gaps_grow_together() -> None:
    blocks = [block(size * MIB) for size in (1, 2, 3, 4, 5, 6)]
    addresses = [tensor.data_ptr() for tensor in blocks]
    blocks[1] = blocks[4] = blocks[0]  # gaps of 2 and 5
    assert block(3 * MIB).data_ptr() == addresses[4]  # not the 2
    assert block(MIB).data_ptr() == addresses[1]  # the lowest, not the smallest
    blocks[2] = blocks[0]
    assert block(5 * MIB).data_ptr() == addresses[1]  # 2 and 3 touch: one gap of 5


def fragments_are_not_a_piece() -> None:
    pieces = [block(MAIN // 16) for _ in range(16)]
    rest = block(SMALL_POOL)
    del pieces[::2]
    assert statistics()["free_bytes"] == MAIN // 2
    with pytest.raises(torch.OutOfMemoryError) as caught:
        block(MAIN // 16 + PAGE)
    assert 'nrt_tensor_allocate status=4 message="Allocation Failure"' in str(caught.value)
    assert "7.49 GiB free in pieces of at most 959.00 MiB" in str(caught.value)
    assert block(MAIN // 16).nbytes == MAIN // 16
    pieces.clear()
    assert rest.nbytes == SMALL_POOL
    assert block(MAIN).nbytes == MAIN


def garbage_is_collected_before_memory_is_refused() -> None:
    gc.disable()
    cycle: list[Any] = [block(MAIN)]
    cycle.append(cycle)
    del cycle
    assert device_module.memory_stats(0)["allocated_bytes"]["current"] == MAIN
    held = block(2 * GIB)
    found = device_module.memory_stats(0)
    assert (found["num_alloc_retries"], found["num_ooms"]) == (1, 0)
    assert found["allocated_bytes"]["current"] == held.nbytes
    with pytest.raises(torch.OutOfMemoryError):
        block(MAIN)
    found = device_module.memory_stats(0)
    assert (found["num_alloc_retries"], found["num_ooms"], found["allocation_requests"]) == (2, 1, 3)


def every_number_of_the_statistics_is_told() -> None:
    kept, gone = block(PAGE + 1), block(10)
    del gone
    assert block(0).data_ptr() == 0
    found = statistics()
    size = {"current": 2 * PAGE, "peak": 3 * PAGE, "allocated": 3 * PAGE, "freed": PAGE}
    assert found["allocated_bytes"] == found["active_bytes"] == size
    assert found["reserved_bytes"] == dict.fromkeys(size, 0)
    assert (found["allocation_requests"], found["num_tensor_frees"]) == (3, 1)
    assert (found["num_alloc_retries"], found["num_ooms"]) == (0, 0)
    device_module.reset_accumulated_memory_stats(0)
    found = statistics()
    assert found["allocated_bytes"] == {"current": 2 * PAGE, "peak": 3 * PAGE, "allocated": 0, "freed": 0}
    assert (found["allocation_requests"], found["num_tensor_frees"]) == (0, 0)
    device_module.reset_peak_memory_stats(0)
    del kept
    found = statistics()
    assert found["allocated_bytes"] == {"current": 0, "peak": 2 * PAGE, "allocated": 0, "freed": 2 * PAGE}
    assert statistics(1)["allocated_bytes"] == dict.fromkeys(size, 0)
    if hasattr(torch.accelerator, "memory_stats"):  # torch 2.9 and newer
        generic: Any = torch.accelerator.memory_stats(0)
        assert generic["allocated_bytes.all.freed"] == 2 * PAGE
        assert (generic["num_ooms"], generic["num_alloc_retries"]) == (0, 0)


def ten_thousand_tensors_leave_nothing() -> None:
    for _ in range(1000):
        block(3 * MIB).zero_()
    before = resident()
    for number in range(10_000):
        tensor = block(1 + number % 7 * 300 * KIB, core=number % 2)
        tensor[:1] = 1
    del tensor
    assert resident() - before < 32 * MIB
    for core in (0, 1):
        found = statistics(core)
        assert found["allocated_bytes"]["current"] == 0
        assert found["allocated_bytes"]["allocated"] == found["allocated_bytes"]["freed"]
        assert found["largest_free_bytes"] == MAIN  # every gap has grown together again


def ten_thousand_loads_leave_nothing(directory: pathlib.Path) -> None:
    loaded = neuron_models.load(directory, 1)
    (held,) = model.models_of(loaded)
    for number in range(1000):
        held.set_neuron_devices(number % 2, 1)
    before = resident()
    for number in range(10_000):
        held.set_neuron_devices(number % 2, 1)
    for _ in range(20):
        held.unload()
        neuron_models.check(loaded, 1)
    assert resident() - before < 32 * MIB
    assert statistics(0)["model_bytes"] + statistics(1)["model_bytes"] == PAGE
    held.unload()
    assert [statistics(core)["allocated_bytes"]["current"] for core in (0, 1)] == [0, 0]
    assert list(ops.core_usage()) == [0, 0]


def weightless() -> Any:
    """A model without weights, loaded on core 0."""
    held = neuron_models.unloaded(torch.nn.ReLU(), torch.ones(1))
    held.set_neuron_devices(0, 1)
    return held


def heavy() -> Any:
    """A model with 128 MiB of weights, which is two pieces; not loaded."""
    return neuron_models.unloaded(torch.nn.Linear(8192, 4096, bias=False), torch.ones(1, 8192))


def failed_loads_leave_nothing() -> None:
    first, held = weightless(), heavy()
    pieces = [block(LEFT // 4 - 20 * MIB) for _ in range(4)]  # leaves a gap of 80 MiB, for one piece
    full = block(SMALL_POOL)
    before = statistics()
    with pytest.raises(RuntimeError) as caught:
        held.set_neuron_devices(0, 1)
    assert "Could not load the model status=4 message=Allocation Failure: failed to allocate 128.00 MiB" in str(
        caught.value
    )
    assert "0 B in loaded models, 96.00 MiB in the core's microcode, 80.00 MiB free" in str(caught.value)
    after = statistics()
    assert after["num_ooms"] == before["num_ooms"] + 1
    assert {**after, "num_ooms": 0} == {**before, "num_ooms": 0}
    assert list(ops.core_usage()) == [1, 0]
    pieces.pop(1)
    held.set_neuron_devices(0, 1)
    assert statistics()["model_bytes"] == 128 * MIB
    assert (full.nbytes, first.is_loaded()) == (SMALL_POOL, True)


def models_fit_into_gaps_that_a_tensor_of_their_size_does_not() -> None:
    first, held = weightless(), heavy()
    low, gap, high = block(GIB), block(64 * MIB), block(LEFT - GIB - 128 * MIB)
    del gap
    rest = block(SMALL_POOL)
    with pytest.raises(torch.OutOfMemoryError):
        block(128 * MIB)
    held.set_neuron_devices(0, 1)
    assert statistics()["free_bytes"] == 0
    assert low.nbytes + high.nbytes + rest.nbytes + 128 * MIB == STACK - CARVE_OUT - MICROCODE
    assert first.is_loaded()


def microcode_comes_with_the_first_model_of_a_core_and_goes_with_the_last() -> None:
    first, second = heavy(), heavy()
    seen = []
    for model_, start in ((first, 0), (second, 0), (first, 1), (second, 1)):
        model_.set_neuron_devices(start, 1)
        seen.append([(statistics(core)["code_bytes"], statistics(core)["model_bytes"] // MIB) for core in (0, 1)])
    assert seen == [
        [(MICROCODE, 128), (0, 0)],
        [(MICROCODE, 256), (0, 0)],
        [(MICROCODE, 128), (MICROCODE, 128)],
        [(0, 0), (MICROCODE, 256)],
    ]
    assert device_module.memory_allocated(1) == MICROCODE + 256 * MIB
    first.unload()
    second.unload()
    assert [device_module.memory_allocated(core) for core in (0, 1)] == [0, 0]


def model_whose_microcode_does_not_fit_takes_nothing() -> None:
    held = neuron_models.unloaded(torch.nn.ReLU(), torch.ones(1))
    full = [block(MAIN - 64 * MIB), block(SMALL_POOL)]
    with pytest.raises(torch.OutOfMemoryError, match=r"^Could not load the model status=4 .* allocate 96\.00 MiB"):
        held.set_neuron_devices(0, 1)
    assert (statistics()["code_bytes"], statistics()["free_bytes"], held.is_loaded()) == (0, 64 * MIB, False)
    full.clear()
    held.set_neuron_devices(0, 1)
    assert statistics()["code_bytes"] == MICROCODE


@pytest.mark.parametrize(
    "scenario",
    [
        requests_find_the_pool_of_their_size,
        each_pool_falls_back_to_the_other,
        no_request_spans_both_pools,
        the_chip_is_not_one_memory,
        the_lowest_gap_that_fits_is_taken_and_gaps_grow_together,
        fragments_are_not_a_piece,
        garbage_is_collected_before_memory_is_refused,
        every_number_of_the_statistics_is_told,
        ten_thousand_tensors_leave_nothing,
        failed_loads_leave_nothing,
        models_fit_into_gaps_that_a_tensor_of_their_size_does_not,
        microcode_comes_with_the_first_model_of_a_core_and_goes_with_the_last,
        model_whose_microcode_does_not_fit_takes_nothing,
    ],
)
def test_pools(scenario: Callable[[], None], processes: neuron_processes.Parent, trn1: dict[str, str]) -> None:
    processes.run(trn1, scenario)


def test_pools_of_the_first_generation_are_one(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, the_first_generation_has_one_plain_pool)


def test_ten_thousand_loads_and_unloads_leave_nothing(
    processes: neuron_processes.Parent, trn1: dict[str, str], model_files: pathlib.Path
) -> None:
    processes.run(trn1, ten_thousand_loads_leave_nothing, model_files)


def microcode() -> int:
    held = weightless()
    found: int = statistics()["code_bytes"]
    del held
    return found


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "inf1.xlarge"}, 0, id="inf1"),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "inf2.xlarge"}, MICROCODE, id="inf2"),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge"}, 2 * MICROCODE, id="trn2, joined"),
        pytest.param({"NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge", "NEURON_LOGICAL_NC_CONFIG": "1"}, MICROCODE,
                     id="trn2, single"),
    ],
)  # fmt: skip
def test_microcode_is_that_of_each_physical_core(
    settings: dict[str, str], size: int, processes: neuron_processes.Parent, tmp_path: pathlib.Path
) -> None:
    assert processes.run(settings | {"NEURONSPAN_STATE_DIR": str(tmp_path)}, microcode) == size
