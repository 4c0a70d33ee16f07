"""`torch.distributed`'s backend `neuron`: collectives over tensors of NeuronCores, through gloo.

gloo works on the bytes of the device's tensors themselves, seen from the host, so nothing is copied to and fro. It
also takes tensors of the CPU, as torch's own object collectives need.

Law: what is reduced and in which order is gloo's; tensors come back as those that were given.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import distributed

NAME = "neuron"

_COLLECTIVES = (
    "allreduce", "allreduce_coalesced", "broadcast", "allgather", "_allgather_base", "reduce", "gather", "scatter",
    "alltoall", "alltoall_base", "_reduce_scatter_base",
)  # fmt: skip
"""What gloo has under torch's own names; the first argument is the results."""
_NEWER_NAMES = {
    "all_gather_single": "_allgather_base",
    "all_to_all_single": "alltoall_base",
    "reduce_scatter_single": "_reduce_scatter_base",
}
"""Names of the same from torch 2.13 on."""
_OF_MANY = {
    "allgather_into_tensor_coalesced": "_allgather_base",
    "all_gather_single_coalesced": "_allgather_base",
    "reduce_scatter_tensor_coalesced": "_reduce_scatter_base",
    "reduce_scatter_single_coalesced": "_reduce_scatter_base",
}
"""Collectives over lists, which gloo only has for one tensor at a time."""
_WITHOUT_RESULTS = ("barrier", "send", "recv", "recv_anysource")


def register() -> None:
    """Make `init_process_group("neuron")` known; a second call does nothing."""
    if not hasattr(distributed.Backend, NAME.upper()):
        distributed.Backend.register_backend(NAME, create, devices=[NAME])


def create(store: Any, rank: int, size: int, timeout: dt.timedelta) -> distributed.ProcessGroup:
    """Make a group; torch calls it in every process."""
    return NeuronGroup(store, rank, size, timeout)


class NeuronGroup(distributed.ProcessGroup):
    """A group of processes that each have NeuronCores; torch asks its methods by name, from Python and from C++."""

    def __init__(self, store: Any, rank: int, size: int, timeout: dt.timedelta) -> None:
        super().__init__(rank, size)  # type: ignore[call-arg]  # torch types one of its two forms
        self.host = distributed.ProcessGroupGloo(store, rank, size, timeout)
        """gloo's group of the same processes."""
        for device in (NAME, "cpu"):  # the group's name, among others, is kept by what is registered here
            self._register_backend(torch.device(device), distributed.ProcessGroup.BackendType.CUSTOM, self.host)

    def getBackendName(self) -> str:  # noqa: N802 - torch's name
        """Return `neuron`."""
        return NAME


def _collective(name: str) -> Callable[..., Any]:
    """Make the method that lets gloo's method of this name work on the bytes of device tensors."""

    def called(self: NeuronGroup, results: Any, *args: Any, **named: Any) -> Any:
        work = getattr(self.host, name)(_on_host(results), *map(_on_host, args), **_named_on_host(named))
        return _with_results(work, _flat(results))

    return called


def _of_many(name: str) -> Callable[..., Any]:
    """Make the method that does it for each pair of results and inputs, one after the other."""

    def called(self: NeuronGroup, results: Any, inputs: Any, *args: Any, **named: Any) -> Any:
        for pair in zip(results[:-1], inputs[:-1], strict=True):
            getattr(self, name)(*pair, *args, **named).wait()
        return getattr(self, name)(results[-1], inputs[-1], *args, **named)

    return called


def _plain(name: str) -> Callable[..., Any]:
    """Make the method that hands on what has no results, or gives them only to who waits."""

    def called(self: NeuronGroup, *args: Any, **named: Any) -> Any:
        return getattr(self.host, name)(*map(_on_host, args), **_named_on_host(named))

    return called


def _reduce_scatter(self: NeuronGroup, outputs: Any, inputs: Any, options: Any = None) -> Any:
    """Reduce lists of tensors and keep this process's share; older versions of gloo only take one tensor with all."""
    together = torch.cat([part.flatten() for part in inputs[0]])
    return self._reduce_scatter_base(outputs[0], together, options or distributed.ReduceScatterOptions())


_METHODS: dict[str, Callable[..., Any]] = {
    **{name: _collective(name) for name in _COLLECTIVES},
    **{name: _collective(older) for name, older in _NEWER_NAMES.items()},
    **{name: _of_many(single) for name, single in _OF_MANY.items()},
    **{name: _plain(name) for name in _WITHOUT_RESULTS},
    "reduce_scatter": _reduce_scatter,
}
for _name, _method in _METHODS.items():
    setattr(NeuronGroup, _name, _method)


def _with_results(work: Any, results: Sequence[torch.Tensor]) -> Any:
    """Return gloo's work with the caller's own tensors as its results: DistributedDataParallel takes them there."""

    def finished(done: torch.futures.Future[Any]) -> Sequence[torch.Tensor]:
        done.value()  # raises what went wrong
        return results

    try:
        future = work.get_future()
    except RuntimeError:  # gloo has none for reduce_scatter: who waits for the work finds the results in place
        return work
    made: Any = torch._C._distributed_c10d  # noqa: SLF001 - torch's own groups in Python make their works there
    return made._create_work_from_future(future.then(finished))  # noqa: SLF001 - as above


def _named_on_host(named: dict[str, Any]) -> dict[str, Any]:
    return {name: _on_host(value) for name, value in named.items()}


def _on_host(value: Any) -> Any:
    """Return tensors as the host sees them, in the same lists; what is no tensor as it is."""
    if isinstance(value, torch.Tensor):
        return torch.ops.neuron.host_alias(value)
    if isinstance(value, (list, tuple)):
        return [_on_host(each) for each in value]
    return value


def _flat(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for each in value for tensor in _flat(each)]
