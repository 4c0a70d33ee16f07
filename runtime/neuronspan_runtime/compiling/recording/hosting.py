"""Recording on the host what lives on the device: twins in host memory stand for a model's tensors meanwhile.

Parameters and buffers are exchanged in the module's own tables; a tensor that is kept elsewhere is exchanged at each
use of it, and so is a device that the model names.

Law: afterwards the module holds the very tensors that it held; nothing on the device is written.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_HOST = torch.device("cpu")


def is_on_device(tensor: torch.Tensor) -> bool:
    """Return whether the tensor is on a NeuronCore."""
    return tensor.device.type == "neuron"


class Twins:
    """Copies in host memory, one of each tensor; tensors that share bytes have twins that share them too."""

    def __init__(self) -> None:
        self._twins: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._storages: dict[tuple[int, torch.dtype], torch.Tensor] = {}

    def of(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the twin of a tensor on the device, always the same one; any other tensor is its own."""
        if not is_on_device(tensor):
            return tensor
        known = self._twins.get(id(tensor))
        if known is None:
            # the original stays with it, so that no other tensor gets its identity
            known = self._twins[id(tensor)] = (tensor, self._made(tensor))
        return known[1]

    def _made(self, tensor: torch.Tensor) -> torch.Tensor:
        if tensor.layout != torch.strided:
            return tensor.detach().cpu()
        key = (tensor.untyped_storage().data_ptr(), tensor.dtype)
        if key not in self._storages:
            elements = tensor.untyped_storage().nbytes() // tensor.element_size()
            self._storages[key] = tensor.detach().as_strided((elements,), (1,), 0).cpu()
        copy = self._storages[key].as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        if isinstance(tensor, torch.nn.Parameter):
            return torch.nn.Parameter(copy, requires_grad=tensor.requires_grad)
        return copy.requires_grad_(tensor.requires_grad)


@contextlib.contextmanager
def on_host(module: torch.nn.Module, twins: Twins, found: Sequence[torch.Tensor]) -> Iterator[None]:
    """Let the module compute on the host inside. `found` are its tensors; with none on the device nothing happens."""
    if not any(is_on_device(one) for one in found):
        yield
        return
    places: list[tuple[dict[str, Any], str, torch.Tensor]] = [
        (table, key, value)
        for owner in module.modules()
        for table in (owner._parameters, owner._buffers)  # noqa: SLF001 - where torch.func puts its tensors too
        for key, value in table.items()
        if value is not None and is_on_device(value)
    ]
    try:
        for table, key, value in places:
            table[key] = twins.of(value)
        with _Exchanging(twins):
            yield
    finally:
        for table, key, value in places:
            table[key] = value


class _Exchanging(TorchFunctionMode):
    """Gives every function of torch the twin for the tensor, and the host for the device."""

    def __init__(self, twins: Twins) -> None:
        super().__init__()
        self._twins = twins

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        return func(*self._hosted(tuple(args)), **self._hosted(dict(kwargs or {})))

    def _hosted(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return self._twins.of(value)
        if isinstance(value, torch.device):
            return _HOST if value.type == "neuron" else value
        if isinstance(value, str):
            return "cpu" if value.partition(":")[0] == "neuron" else value
        if type(value) is dict:
            return {key: self._hosted(item) for key, item in value.items()}
        return type(value)(map(self._hosted, value)) if type(value) in {tuple, list} else value
