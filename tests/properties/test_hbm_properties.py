"""A stack of HBM shared by two cores does what a list of blocks does: the same addresses, books and refusals."""

import gc
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import hypothesis.stateful
import pytest
import torch
from hypothesis import strategies as st

from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import environment
from neuronspan_runtime.device import memory

PAGE = 4096
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
STACK, CARVE_OUT, SMALL_POOL, SMALL = 24 * GIB, 16 * MIB, GIB, 512 * KIB
MAIN = range(CARVE_OUT, STACK - SMALL_POOL)
TOP = range(STACK - SMALL_POOL, STACK)
WEIGHTS = 600 * KIB
"""Of the model: just too large for the small pool to be tried first."""
MICROCODE = (64 * MIB, 32 * MIB)
"""In pieces; it comes with the model, which is the only one."""

CORES = st.sampled_from((0, 1))
SIZES = st.one_of(
    st.integers(0, 4 * PAGE),
    st.integers(SMALL - PAGE, SMALL + PAGE),
    st.integers(1, 9).map(lambda size: size * SMALL),
    st.integers(1, 12).map(lambda size: size * 512 * MIB),
    st.sampled_from((GIB, GIB + 1, 11 * GIB, 22 * GIB, len(MAIN), len(MAIN) + 1)),
)


def pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class Blocks:
    """The naive model: the blocks of a stack in a list, and every question answered by looking at all of them."""

    def __init__(self) -> None:
        self.live: list[tuple[int, int, int]] = []
        """(begin, end, core)"""

    def gaps(self, pool: range) -> list[tuple[int, int]]:
        inside = sorted((begin, end) for begin, end, _ in self.live if begin in pool)
        begins = [pool.start, *(end for _, end in inside)]
        ends = [*(begin for begin, _ in inside), pool.stop]
        return [(begin, end) for begin, end in zip(begins, ends, strict=True) if end > begin]

    def place(self, size: int) -> int | None:
        for pool in (TOP, MAIN) if size <= SMALL else (MAIN, TOP):
            for begin, end in self.gaps(pool):
                if end - begin >= size:
                    return begin
        return None

    def take(self, size: int, core: int) -> int | None:
        begin = self.place(size)
        if begin is not None:
            self.live.append((begin, begin + size, core))
        return begin

    def take_all(self, sizes: Sequence[int], core: int) -> list[int]:
        begins: list[int] = []
        for size in sizes:
            begin = self.take(size, core)
            if begin is None:
                for taken in begins:
                    self.give_back(taken)
                return []
            begins.append(begin)
        return begins

    def give_back(self, begin: int) -> None:
        self.live = [block for block in self.live if block[0] != begin]

    def used(self, core: int) -> int:
        return sum(end - begin for begin, end, owner in self.live if owner == core)

    def largest(self) -> int:
        return max((end - begin for pool in (MAIN, TOP) for begin, end in self.gaps(pool)), default=0)


class Stack(hypothesis.stateful.RuleBasedStateMachine):
    """Takes and frees tensors, loads and unloads a model, on both sides at once."""

    held: Any
    base: int

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Blocks()
        self.tensors: list[tuple[torch.Tensor, int]] = []
        self.loaded: list[int] = []
        self.peaks = dict.fromkeys((0, 1), 0)
        for core in (0, 1):
            memory.reset_peak_memory_stats(core)
            memory.reset_accumulated_memory_stats(core)

    @hypothesis.stateful.rule(core=CORES, size=SIZES)
    def take(self, core: int, size: int) -> None:
        before = self.blocks.used(core)
        expected = self.blocks.take(pages(size), core) if size else None
        try:
            tensor = torch.empty(size, dtype=torch.uint8, device=f"neuron:{core}")
        except torch.OutOfMemoryError:
            assert size
            assert expected is None
            assert memory.memory_allocated(core) == before
            return
        self.peaks[core] = max(self.peaks[core], self.blocks.used(core))
        if size == 0:
            assert tensor.data_ptr() == 0
            return
        assert tensor.data_ptr() - self.base == expected
        self.tensors.append((tensor, tensor.data_ptr() - self.base))

    @hypothesis.stateful.precondition(lambda self: self.tensors)
    @hypothesis.stateful.rule(position=st.integers(0, 1 << 30))
    def free(self, position: int) -> None:
        _, begin = self.tensors.pop(position % len(self.tensors))
        self.blocks.give_back(begin)

    @hypothesis.stateful.rule(core=CORES)
    def load(self, core: int) -> None:
        self.unload()
        self.loaded = self.blocks.take_all((*MICROCODE, WEIGHTS), core)
        if not self.loaded:
            with pytest.raises(RuntimeError, match="Could not load the model status=4"):
                self.held.set_neuron_devices(core, 1)
            return
        self.held.set_neuron_devices(core, 1)
        self.peaks[core] = max(self.peaks[core], self.blocks.used(core))

    @hypothesis.stateful.rule()
    def unload(self) -> None:
        self.held.unload()
        for begin in self.loaded:
            self.blocks.give_back(begin)
        self.loaded = []

    @hypothesis.stateful.invariant()
    def books_agree(self) -> None:
        used = [self.blocks.used(core) for core in (0, 1)]
        for core in (0, 1):
            found = memory.memory_stats(core)
            size = found["allocated_bytes"]
            assert (size["current"], size["peak"]) == (used[core], self.peaks[core])
            assert size["allocated"] - size["freed"] == used[core]
            assert (found["limit_bytes"], found["free_bytes"]) == (STACK - CARVE_OUT, STACK - CARVE_OUT - sum(used))
            assert found["largest_free_bytes"] == self.blocks.largest()

    def teardown(self) -> None:
        self.tensors.clear()
        self.held.unload()
        assert [memory.memory_allocated(core) for core in (0, 1)] == [0, 0]
        assert memory.memory_stats(0)["largest_free_bytes"] == len(MAIN)


def run_stack(examples: int, steps: int) -> None:
    gc.freeze()  # a refused request collects garbage: only what the examples make is worth looking at
    module = torch.nn.Linear(WEIGHTS // 4 // 1024, 1024, bias=False)
    Stack.held = neuron_models.unloaded(module, torch.ones(1, module.in_features))
    lowest = torch.empty(MIB, device="neuron:0")
    Stack.base = lowest.data_ptr() - CARVE_OUT
    del lowest
    settings: Any = hypothesis.settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.stateful.run_state_machine_as_test(Stack, settings=settings)


@pytest.fixture(scope="module")
def processes() -> Iterator[neuron_processes.Parent]:
    with neuron_processes.parent() as running:
        yield running


def test_stack_behaves_like_a_list_of_blocks(processes: neuron_processes.Parent, tmp_path: pathlib.Path) -> None:
    single = {
        "NEURONSPAN_STATE_DIR": str(tmp_path / "state"),
        "NEURONSPAN_INSTANCE_TYPE": "trn2.3xlarge",
        "NEURON_LOGICAL_NC_CONFIG": "1",
        "NEURON_RT_VISIBLE_CORES": "0-1",
        environment.OOM_LOG_ENV: "0",
    }
    processes.run(single, run_stack, examples=40, steps=40)
