"""One batch over several NeuronCores: the two DataParallel classes of AWS, which differ in how they split and load.

`torch_neuronx` loads one module with a replica on each of consecutive cores, or copies where the ids have gaps, and
spreads the batch evenly. `torch.neuron` (Inf1) makes a copy for every core and cuts chunks of batch // cores.
Chunk k is answered by replica k; results are in the order of the batch.

Law: splits, starts and joins; it never chooses a core, and never changes what a chunk computes.
"""

import concurrent.futures
import logging
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch._utils import ExceptionWrapper

from neuronspan_runtime import errors
from neuronspan_runtime.device import session
from neuronspan_runtime.models import batches, dynamic_batching, loading, model, placing, undoing

_log = logging.getLogger(__name__)

WORKERS_PER_MODULE = 2
"""AWS's default: while one request is on the core, the next one is prepared."""


class DataParallel(torch.nn.Module):
    """`torch_neuronx.DataParallel`: split inputs along `dim`, run the chunks at once, put the results together.

    `device_ids` are ints or "nc:<n>" from the process's first core; without them all cores of the process are used.
    Dynamic batching of the module is switched on for dim 0 unless told otherwise. Raises TypeError for what is no
    list, ValueError for what is no device id, RuntimeError when the cores cannot be had; the model is then as it was.
    More consecutive ids than cores, and a model that cannot be batched, are logged, and raised by the first call.

    `num_workers` (threads) and `split_size` (rows of a chunk, None is an even split) may be set between calls.
    """

    def __init__(
        self,
        model: torch.nn.Module,  # the signature is AWS's
        device_ids: Sequence[int | str] | None = None,
        dim: int = 0,
        set_dynamic_batching: bool = True,
    ) -> None:
        super().__init__()
        self.module = model
        self.copies = torch.nn.ModuleList()
        self.device_ids = self._ordered(_chosen_cores(device_ids))
        self.dim = int(dim)  # programs give `False` for the first one
        self.split_size: int | None = None
        self.num_workers = WORKERS_PER_MODULE * (1 if self._is_replicated() else len(self.device_ids))
        self._workers = _Workers()
        self._blocked = False
        try:
            with undoing.as_before_when_refused(model):
                if set_dynamic_batching and dim == 0:
                    dynamic_batching.dynamic_batch(model)
                self._load()
        except (ValueError, errors.NotBatchable) as error:
            self._blocked = True
            _log.warning("Automatic dynamic batching failed due to %s", error)

    def disable_dynamic_batching(self) -> None:
        """Switch dynamic batching off and load the model again: every chunk must then have the traced size.

        Raises what loading raises, also what construction only logged.
        """
        with undoing.as_before_when_refused(self):
            for replica in self._replicas():
                dynamic_batching.dynamic_batch(replica, enable=False)
            self._load()
        self._blocked = False

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """Run one batch. Raises the first error of a chunk as `Caught <error> on neuroncore <chunk>.`.

        Warns when the batch cannot keep all cores busy. Raises RuntimeError when construction failed, without any
        tensor, and when the tensors differ in size along `dim`.
        """
        if self._blocked:
            raise RuntimeError(
                "Automatic dynamic batching must be disabled before running inference. Call disable_dynamic_batching() "
                "on this module: it says what is wrong, or loads the model without dynamic batching"
            )
        batch = _batch_size((inputs, keywords), self.dim)
        sizes = batches.fixed_sizes(batch, self.split_size) if self.split_size else self._sizes(batch)
        if len(set(sizes)) > 1 or len(sizes) % len(self.device_ids):
            warnings.warn(
                f"The NeuronCores are not being fully utilized because a batch of {batch} does not divide evenly over "
                f"{len(self.device_ids)} NeuronCores: its chunks are {', '.join(map(str, sizes))}",
                UserWarning,
                stacklevel=4,  # over torch.nn.Module's two frames
            )
        return self._run(batches.split((inputs, keywords), sizes, self.dim))

    def _run(self, chunks: Sequence[Any]) -> Any:
        replicas = self._replicas()
        jobs = [_Job(index, replicas[index % len(replicas)], chunk) for index, chunk in enumerate(chunks)]
        results = [jobs[0]()] if len(jobs) == 1 else self._workers.run(jobs, self.num_workers)
        for result in results:
            if isinstance(result, ExceptionWrapper):
                result.reraise()  # type: ignore[no-untyped-call]
        return batches.joined(results, self.dim)

    def _replicas(self) -> list[torch.nn.Module]:
        return [self.module, *self.copies]

    def _load(self) -> None:
        if self._is_replicated():
            placing.set_neuron_cores(self.module, self.device_ids[0], len(self.device_ids))
            return
        while len(self.copies) < len(self.device_ids) - 1:
            self.copies.append(loading.unloaded_copy(self.module))
        for replica, core in zip(self._replicas(), self.device_ids, strict=True):
            placing.set_neuron_cores(replica, core, 1)

    def _is_replicated(self) -> bool:
        return batches.are_consecutive(self.device_ids)

    def _ordered(self, cores: Sequence[int]) -> list[int]:
        return sorted(cores)

    def _sizes(self, batch: int) -> tuple[int, ...]:
        return batches.even_sizes(batch, len(self.device_ids))


class DataParallelForInferentia(DataParallel):
    """`torch.neuron.DataParallel` (Inf1): as above, with a copy of the model on each core and chunks of batch // cores.

    Raises RuntimeError for a model compiled with NeuronCore Pipeline.
    """

    def __init__(
        self,
        model: torch.nn.Module,  # the signature is AWS's
        device_ids: Sequence[int | str] | None = None,
        dim: int = 0,
    ) -> None:
        _refuse_pipelined(model)
        super().__init__(model, device_ids, dim)

    def _is_replicated(self) -> bool:
        return False

    def _ordered(self, cores: Sequence[int]) -> list[int]:
        return list(cores)

    def _sizes(self, batch: int) -> tuple[int, ...]:
        return batches.fixed_sizes(batch, max(1, batch // len(self.device_ids)))


class _Job:
    """One chunk: returns its result, or its error in a wrapper that can be raised in another thread."""

    def __init__(self, index: int, module: torch.nn.Module, chunk: tuple[Sequence[Any], dict[str, Any]]) -> None:
        self._index = index
        self._module = module
        self._chunk = chunk
        self._gradients = torch.is_grad_enabled()  # torch's switch belongs to a thread

    def __call__(self) -> Any:
        inputs, keywords = self._chunk
        try:
            with torch.set_grad_enabled(self._gradients):
                return self._module(*inputs, **keywords)
        except Exception:  # noqa: BLE001 - it is raised again in the caller's thread
            return ExceptionWrapper(where=f"on neuroncore {self._index}")  # type: ignore[no-untyped-call]


class _Workers:
    """The threads; made at first use, and anew when another number is wanted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def run(self, jobs: Sequence[_Job], count: int) -> list[Any]:
        with self._lock:
            if self._pool is None or self._count != count:
                self._count = count
                self._pool = concurrent.futures.ThreadPoolExecutor(count, "neuron")
            waiting = [self._pool.submit(job) for job in jobs]
        return [future.result() for future in waiting]


def _chosen_cores(device_ids: Sequence[int | str] | None) -> Sequence[int]:
    if device_ids is None:
        return range(session.start().span.count)
    if isinstance(device_ids, (int, str)):
        raise TypeError(f"device_ids={device_ids!r} is no list: name each NeuronCore in one, such as [0, 1]")
    if not device_ids:
        raise ValueError("device_ids is empty: name at least one NeuronCore, or leave it out to use all")
    return batches.core_ids(device_ids)


def _batch_size(inputs: Any, dim: int) -> int:
    sizes = [tensor.shape[dim] for tensor in batches.tensors_in(inputs)]
    if not sizes:
        raise RuntimeError("DataParallel has nothing to split: pass at least one tensor")
    if len(set(sizes)) > 1:
        raise RuntimeError(f"Inconsistent batch sizes found on inputs: {', '.join(map(str, sizes))} in dim {dim}")
    return sizes[0]


def _refuse_pipelined(module: torch.nn.Module) -> None:
    for held in model.models_of(module):
        if held.cores_per_model() > 1:
            raise RuntimeError(
                f"torch.neuron.DataParallel does not support NeuronCore Pipeline: this model needs "
                f"{held.cores_per_model()} NeuronCores. Replicate it with torch_neuron.experimental.set_multicore"
            )
