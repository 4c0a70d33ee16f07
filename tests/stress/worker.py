"""One process of the stress run: it claims cores, lets eight threads use them, checks, gives them back, and again.

Everything it is told and does comes from a seed; it may be killed at any moment, and is.
"""

import contextlib
import dataclasses
import faulthandler
import gc
import os
import pathlib
import random
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

import neuronspan_runtime
import torch_neuronx
from kits.device import neuron_models
from neuronspan_runtime import errors
from neuronspan_runtime.device import session
from neuronspan_runtime.models import model
from stress import journal as journals

OPERATION_SECONDS = 120.0
"""No operation may take longer, however busy the machine is."""

ops: Any = torch.ops.neuron
REFUSED_SECONDS = 0.2
"""A program that is refused is not started again at once."""
CORES = 8
MUCH = 65 << 20
"""Bytes of a block that is large enough to go back to the host at once."""


@dataclasses.dataclass(frozen=True)
class Orders:
    """What one process is told."""

    models: pathlib.Path
    journal: pathlib.Path
    born: pathlib.Path
    """A fifo: the process id is written into it, so that it can be killed."""
    seed: int
    seconds: float
    threads: int


class Failed(Exception):  # noqa: N818 - it says what happened
    """Something that must hold did not."""


def live(orders: Orders) -> int:
    """Run until the time is over; return how many operations were done. Raises Failed."""
    journal = journals.Journal(orders.journal)
    journal.write("born", pid=os.getpid())
    orders.born.write_text(f"{os.getpid()}\n", encoding="utf-8")
    chance = random.Random(orders.seed)  # noqa: S311 - not a secret
    life = Life(orders, journal)
    with orders.journal.with_suffix(".trace").open("w", encoding="utf-8") as trace, life.watched(trace.fileno()):
        faulthandler.enable(trace)
        while not life.over:
            life.own(chance)
    journal.write("ended")
    return life.done


class Life:
    """The state that the threads of one process share."""

    def __init__(self, orders: Orders, journal: journals.Journal) -> None:
        self.orders = orders
        self.journal = journal
        self.end = time.monotonic() + orders.seconds
        self.done = 0
        self.cores = 0
        self.shared: list[tuple[torch.nn.Module, int]] = []
        self.lock = threading.Lock()
        self.failures: list[str] = []
        self._busy: dict[int, float] = {}
        self.expected = {cores: _expected(cores) for cores in range(1, neuron_models.MOST_CORES + 1)}

    @property
    def over(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() >= self.end

    def own(self, chance: random.Random) -> None:
        """Start the runtime with an environment by chance, use it with all threads, and close it."""
        _set_environment(chance)
        try:
            started = session.start()
        except errors.StartRefused:
            self.journal.write("refused")
            threading.Event().wait(chance.uniform(0, REFUSED_SECONDS))
            return
        self.journal.write("owns", first=started.span.first, count=started.span.count)
        self.cores = started.span.count
        ops.set_default_cores(-1, -1)
        seeds = [chance.getrandbits(32) for _ in range(self.orders.threads)]
        threads = [threading.Thread(target=self._work, args=(number, seed)) for number, seed in enumerate(seeds)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.shared.clear()
        gc.collect()
        if self.failures:
            raise Failed("\n".join(self.failures))
        self._nothing_left()
        self.journal.write("gives")
        neuronspan_runtime.close()

    def _nothing_left(self) -> None:
        usage, allocated = list(ops.core_usage()), [ops.memory_stats(core)["allocated"] for core in range(self.cores)]
        if any(usage) or any(allocated):
            raise Failed(f"after everything was deleted: loaded models {usage}, bytes {allocated}")

    def _work(self, number: int, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - not a secret
        for _ in range(chance.randint(1, 25)):
            if self.over or self.failures:
                return
            operation = chance.choice(FIRST_THREAD if number == 0 else OPERATIONS)
            self._busy[number] = time.monotonic()
            try:
                operation(self, chance)
            except Exception:  # noqa: BLE001 - whatever it was, the run fails with it
                self.failures.append(f"{operation.__name__}: {traceback.format_exc()}")
                self.journal.write("failed", text=self.failures[-1])
            self._busy.pop(number, None)
            self.journal.write("did", operation=operation.__name__)
            with self.lock:
                self.done += 1

    @contextlib.contextmanager
    def watched(self, trace: int) -> Iterator[None]:
        """Let a thread end the process when an operation takes too long."""
        stop = threading.Event()
        thread = threading.Thread(target=self._watch, args=(stop, trace), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _watch(self, stop: threading.Event, trace: int) -> None:
        while not stop.wait(1.0):
            late = [
                number for number, since in self._busy.copy().items() if time.monotonic() - since > OPERATION_SECONDS
            ]
            if late:
                faulthandler.dump_traceback(trace)
                self.journal.write("hung", threads=late)
                os._exit(1)


def _expected(cores: int) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = neuron_models.Small(cores)(neuron_models.example())
    return result


def _set_environment(chance: random.Random) -> None:
    environ = os.environ  # noqa: TID251 - the environment that a program would have been started with
    for name in ("NEURON_RT_NUM_CORES", "NEURON_RT_VISIBLE_CORES", "NEURONCORE_GROUP_SIZES"):
        environ.pop(name, None)
    first, count = chance.randrange(CORES), chance.choice((1, 1, 2, 2, 3, 4))
    chosen: Mapping[str, str] = chance.choice(
        (
            {"NEURON_RT_NUM_CORES": str(count)},
            {"NEURON_RT_NUM_CORES": str(count)},
            {"NEURON_RT_VISIBLE_CORES": f"{first}-{min(first + count, CORES) - 1}"},
            {"NEURON_RT_VISIBLE_CORES": str(first)},
            {},
        )
    )
    environ.update(chosen)


# --- what threads do; every result is compared with the CPU's, to the bit ---------------------------------------------


def _same(found: torch.Tensor, expected: torch.Tensor) -> None:
    if not torch.equal(found.cpu(), expected):
        raise Failed(f"a wrong result: {found} instead of {expected}")


def _loaded(life: Life, chance: random.Random) -> tuple[torch.nn.Module, int]:
    needed = chance.randint(1, min(life.cores, neuron_models.MOST_CORES))
    return neuron_models.jit_load(neuron_models.file_of(life.orders.models, needed)), needed


def _call(life: Life, module: torch.nn.Module, needed: int) -> None:
    _same(module(neuron_models.example()), life.expected[needed])


def load_and_run(life: Life, chance: random.Random) -> None:
    """Load a model where the runtime puts it."""
    module, needed = _loaded(life, chance)
    for _ in range(chance.randint(1, 4)):
        _call(life, module, needed)


def place_and_run(life: Life, chance: random.Random) -> None:
    """Put a model on cores, several times."""
    module, needed = _loaded(life, chance)
    for _ in range(chance.randint(1, 3)):
        start = chance.randint(0, life.cores - needed)
        torch_neuronx.set_neuron_cores(module, start, chance.randint(needed, life.cores - start))
        _call(life, module, needed)
    torch_neuronx.set_multicore(module)
    _call(life, module, needed)


def run_on_the_device(life: Life, chance: random.Random) -> None:
    """Return a model device tensors: the outputs stay there."""
    module, needed = _loaded(life, chance)
    start = chance.randint(0, life.cores - needed)
    torch_neuronx.set_neuron_cores(module, start, needed)
    found = module(neuron_models.example().to(f"neuron:{start}"))
    if found.device != torch.device("neuron", start):
        raise Failed(f"the output is on {found.device} instead of neuron:{start}")
    _same(found, life.expected[needed])


def share(life: Life, chance: random.Random) -> None:
    """Leave a model to the other threads, in the place of one of theirs."""
    made = _loaded(life, chance)
    with life.lock:
        life.shared.append(made)
        if len(life.shared) > 4:
            life.shared.pop(chance.randrange(4))


def run_a_shared_one(life: Life, chance: random.Random) -> None:
    """Call a model that other threads call, unload and replace at the same time."""
    with life.lock:
        chosen = chance.choice(life.shared) if life.shared else None
    if chosen is not None:
        _call(life, *chosen)
        if chance.random() < 0.2:
            for held in model.models_of(chosen[0]):
                held.unload()
        _call(life, *chosen)


def compute(life: Life, chance: random.Random) -> None:
    """Use tensors on a core, and copy them to another one."""
    here = torch.randn(chance.randint(1, 64), 33, generator=torch.Generator().manual_seed(chance.getrandbits(32)))
    there = here.to(f"neuron:{chance.randrange(life.cores)}")
    result = (there * 2 + there[:, :1]).t().contiguous()
    elsewhere = result.to(f"neuron:{chance.randrange(life.cores)}")
    _same(elsewhere.relu_(), (here * 2 + here[:, :1]).t().relu())


def use_much_memory(life: Life, chance: random.Random) -> None:
    """Take memory that is given back to the host when it is freed, and more than there is."""
    core = f"neuron:{chance.randrange(life.cores)}"
    much = torch.zeros(MUCH, dtype=torch.uint8, device=core)
    much[chance.randrange(MUCH)] = 1
    if int(much.count_nonzero()) != 1:
        raise Failed("fresh memory was not zero")
    try:
        torch.empty(1 << 40, dtype=torch.uint8, device=core)
    except torch.OutOfMemoryError:
        return
    raise Failed("a core had a TiB of memory")


def fork(life: Life, chance: random.Random) -> None:
    """Fork a child that tries to use the parent's cores."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            session.start()
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise Failed("a forked child could use its parent's cores")


Operation = Callable[[Life, random.Random], None]
OPERATIONS: tuple[Operation, ...] = (
    load_and_run, load_and_run, place_and_run, run_on_the_device, share, run_a_shared_one, run_a_shared_one, compute,
    compute, use_much_memory,
)  # fmt: skip
FIRST_THREAD: tuple[Operation, ...] = (*OPERATIONS, fork)
