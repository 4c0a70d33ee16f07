"""Cutting a batch into chunks and putting results together again: sizes are arithmetic, values nest as users nest them.

Tensors are found in tuples (also named ones), lists and dicts; anything else goes to every chunk as it is.

Law: values only; nothing is loaded, run or counted here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

_CORE = re.compile(r"nc:(\d+)")


def core_ids(device_ids: Sequence[int | str]) -> tuple[int, ...]:
    """Return the indices behind device ids such as 1 or "nc:1". Raises ValueError, in AWS's words, for others."""
    return tuple(_core_id(device_id) for device_id in device_ids)


def are_consecutive(indices: Sequence[int]) -> bool:
    """Return whether each index is one more than the one before it."""
    return all(index == indices[0] + offset for offset, index in enumerate(indices))


def even_sizes(batch: int, cores: int) -> tuple[int, ...]:
    """Return the sizes of the chunks of a batch over so many cores: the remainder is spread over the first chunks.

    A batch smaller than the cores makes chunks of one, and uses as many cores as it has rows.
    """
    size, remainder = divmod(batch, cores)
    return tuple(size + (index < remainder) for index in range(max(1, min(batch, cores))))


def fixed_sizes(batch: int, size: int) -> tuple[int, ...]:
    """Return the sizes of the chunks of a batch in pieces of one size; the last one may be smaller."""
    whole, rest = divmod(batch, size)
    return (size,) * whole + ((rest,) if rest or not whole else ())


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of nested inputs, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)


def split(value: Any, sizes: Sequence[int], dim: int) -> list[Any]:
    """Return one value per size, with the tensors cut along `dim` and everything else as it is."""
    if isinstance(value, torch.Tensor):
        return list(value.split(list(sizes), dim))  # type: ignore[no-untyped-call]
    if isinstance(value, Mapping):
        columns = [split(item, sizes, dim) for item in value.values()]
        return [dict(zip(value, row, strict=True)) for row in _rows(columns, len(sizes))]
    if isinstance(value, (tuple, list)):
        return [_like(value, row) for row in _rows([split(item, sizes, dim) for item in value], len(sizes))]
    return [value] * len(sizes)


def joined(parts: Sequence[Any], dim: int) -> Any:
    """Return the results of all chunks as one: tensors one after the other along `dim`, numbers as a vector.

    Raises TypeError for a result that is not made of tensors.
    """
    first = parts[0]
    if isinstance(first, torch.Tensor):
        return torch.stack(list(parts)) if first.dim() == 0 else torch.cat(list(parts), dim)
    if isinstance(first, Mapping):
        return {key: joined([part[key] for part in parts], dim) for key in first}
    if isinstance(first, (tuple, list)):
        return _like(first, [joined(column, dim) for column in zip(*parts, strict=True)])
    if first is None:
        return None
    raise TypeError(f"DataParallel puts tensors together, in tuples, lists and dicts, not {type(first).__name__}")


def _core_id(device_id: int | str) -> int:
    if isinstance(device_id, int) and device_id >= 0:
        return device_id
    if match := _CORE.fullmatch(str(device_id)):
        return int(match[1])
    raise ValueError(
        f"Expected `nc:#` or an integer, but got: {device_id}. NeuronCores are counted from the first one of this "
        "process, which is 0"
    )


def _rows(columns: Sequence[Sequence[Any]], count: int) -> list[tuple[Any, ...]]:
    return [tuple(column[index] for column in columns) for index in range(count)]


def _like(value: tuple[Any, ...] | list[Any], items: Sequence[Any]) -> Any:
    """Return the items in the kind of container that the value is."""
    kind: Callable[..., Any] = type(value)
    return kind(*items) if hasattr(value, "_fields") else kind(items)
