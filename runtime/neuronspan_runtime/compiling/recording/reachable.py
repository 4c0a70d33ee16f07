"""The tensors that a model can write when it runs once, and how to put back what they held.

Recording a model runs it: a counter in a buffer, a cache in a closure go on by one call. A user who traces finds
everything as it was.

Law: afterwards every tensor that can be found holds what it held; nothing is written that did not change.
"""

import contextlib
import functools
import inspect
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

_PLAIN = (str, bytes, int, float, complex, bool, type(None), type, types.ModuleType, torch.dtype, torch.device)


def tensors(function: Callable[..., Any]) -> list[torch.Tensor]:
    """Return the tensors of a function or module: attributes, variables it closes over or names, defaults, arguments.

    Looks into modules, containers, objects and functions, however deep.
    """
    seen: set[int] = set()
    found: list[torch.Tensor] = []
    waiting: list[Any] = [function]
    kept: list[Any] = []  # an object that is made while looking must not give its identity to the next one
    while waiting:
        value = waiting.pop()
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen.add(id(value))
        kept.append(value)
        if isinstance(value, torch.Tensor):
            found.append(value)
        else:
            waiting.extend(_parts(value))
    return found


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, torch.jit.ScriptModule):
        return [*value.parameters(), *value.buffers()]
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if inspect.isfunction(value):
        return _variables(value)
    if isinstance(value, types.MethodType):
        return (value.__self__, value.__func__)
    bound = (value.func, value.args, value.keywords) if isinstance(value, functools.partial) else ()
    return [*bound, *getattr(value, "__dict__", {}).values(), type(value).__dict__.get("forward")]


def _variables(function: types.FunctionType) -> list[Any]:
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_full(cell)]
    return [*cells, *_globals(function.__code__, function.__globals__), function.__defaults__, function.__kwdefaults__]


def _globals(code: types.CodeType, names: dict[str, Any]) -> Iterator[Any]:
    yield from (names[name] for name in code.co_names if name in names)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _globals(inner, names)


def _is_full(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a variable that has no value yet
        return False


@contextlib.contextmanager
def unchanged(values: Iterable[torch.Tensor]) -> Iterator[None]:
    """Put back what the tensors held, whatever happens inside. Only plain ones in host memory can be.

    What is kept are the bytes behind them, once for all that share these: whatever type and strides a tensor has.
    """
    plain = (
        value.untyped_storage() for value in values if value.layout == torch.strided and value.device.type == "cpu"
    )
    storages = {storage.data_ptr(): storage for storage in plain}.values()
    before = [_bytes(storage).clone() for storage in storages]
    try:
        yield
    finally:
        for storage, held in zip(storages, before, strict=True):
            now = _bytes(storage)
            if now.shape == held.shape and not torch.equal(now, held):  # what was resized is another memory
                now.copy_(held)


def _bytes(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8).set_(storage)
