"""The attribute `data` of tensors, which torch.jit does not record.

What is read there would be a constant, the example's own numbers, and what is written would be lost. Both have a twin
that is recorded: a detached view of the tensor, and a copy into it.

Law: a model computes with the twins what it computes with the attribute.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_ATTRIBUTE: Any = torch.Tensor.data
_READ, _WRITE = _ATTRIBUTE.__get__, _ATTRIBUTE.__set__


@contextlib.contextmanager
def recordable() -> Iterator[None]:
    """Let the attribute be recorded inside."""
    with _Twins():
        yield


class _Twins(TorchFunctionMode):
    """Does what is recorded instead of what is not."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func == _READ:
            return args[0].detach()
        if func == _WRITE and _is_alike(*args):
            with torch.no_grad():
                return args[0].copy_(args[1])
        return func(*args, **(kwargs or {}))


def _is_alike(tensor: torch.Tensor, value: torch.Tensor) -> bool:
    """Return whether a copy says as much as the new memory."""
    return (tensor.shape, tensor.dtype) == (value.shape, value.dtype)
