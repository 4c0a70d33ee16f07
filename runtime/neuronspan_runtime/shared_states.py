"""States of a model that come from outside: taken as inputs after the others, returned as a list after the outputs."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors

_Place = tuple[dict[str, Any], str]
"""A table of a module, and the name of a tensor in it."""


def held(states: Sequence[torch.Tensor]) -> dict[str, torch.nn.Parameter]:
    """Return attributes for a module that keeps these states, starting with copies of their values."""
    return {
        f"state_{index}": torch.nn.Parameter(state.detach().cpu().clone(), requires_grad=False)
        for index, state in enumerate(states)
    }


def given_from_outside(
    model: Callable[..., Any], aliases: Mapping[torch.Tensor, int], inputs: int
) -> Callable[..., tuple[Any, list[torch.Tensor]]]:
    """Return the model as a function that takes its states after its inputs.

    `aliases` maps parameters or buffers to the output that is their next value; these outputs are returned apart, and
    an only remaining output is returned as it is. Raises TraceRefused for a tensor that is not the model's.
    """
    if not isinstance(model, torch.nn.Module):
        raise errors.TraceRefused(f"states belong to a module, got {type(model).__name__}")
    tables = [_table_of(model, state, position) for position, state in enumerate(aliases)]
    places = list(aliases.values())

    def called(*tensors: torch.Tensor) -> tuple[Any, list[torch.Tensor]]:
        with _replaced(tables, tensors[inputs:]):
            outputs = model(*tensors[:inputs])
        if not isinstance(outputs, (tuple, list)) or not all(0 <= place < len(outputs) for place in places):
            raise errors.TraceRefused(f"input_output_aliases names outputs {places} of a model that has other ones")
        kept = tuple(output for place, output in enumerate(outputs) if place not in places)
        if not kept:
            raise errors.TraceRefused("input_output_aliases names every output of the model: it must return one more")
        return kept[0] if len(kept) == 1 else kept, [outputs[place] for place in places]

    return called


@contextlib.contextmanager
def _replaced(tables: Sequence[_Place], values: Sequence[torch.Tensor]) -> Iterator[None]:
    """Put other tensors in these places for a while; torch's own functional_call cannot be traced."""
    old = [table[name] for table, name in tables]
    try:
        for (table, name), value in zip(tables, values, strict=True):
            table[name] = value
        yield
    finally:
        for (table, name), value_before in zip(tables, old, strict=True):
            table[name] = value_before


def _table_of(model: torch.nn.Module, state: torch.Tensor, position: int) -> _Place:
    for module in model.modules():
        for table in (module._parameters, module._buffers):  # noqa: SLF001 - where torch.func puts its tensors too
            for name, tensor in table.items():
                if tensor is state:
                    return table, name
    raise errors.TraceRefused(
        f"input_output_aliases: key {position} is no parameter or buffer of the model: use the tensors that it holds"
    )
