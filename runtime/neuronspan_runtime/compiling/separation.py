"""Taking parameters and buffers out of a module for one trace, so that the compiled model gets them as inputs.

Weights that stay outside can be replaced; states are written by every call, or, where several models share them, are
taken after the other inputs and returned after the other outputs. A tensor that a module has under several names, or
several modules have, is one input and goes back to all of its places.

Law: afterwards the module holds what it held, whatever happens inside.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import sealing, torchscript

EVERY_OUTPUT_NAMED = "input_output_aliases names every output of the model: it must return one more"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a module keeps a tensor: one of its two tables, and the name there."""

    table: dict[str, torch.Tensor | None]
    key: str


@dataclasses.dataclass
class Kept:
    """One parameter or buffer, whatever number of names it has."""

    names: list[str]
    """All of its names, as in a state dict; the first one names it here."""
    value: torch.Tensor
    places: list[Place]


@dataclasses.dataclass(frozen=True)
class Separated:
    """What a compiled model gets as inputs after the caller's own, in this order: weights, then states."""

    weights: tuple[Kept, ...] = ()
    states: tuple[Kept, ...] = ()
    outputs: tuple[int, ...] = ()
    """For each state, the position of the output that is its next value."""

    def all(self) -> tuple[Kept, ...]:
        """Return all of them in order."""
        return self.weights + self.states


def separated(
    modules: Sequence[torch.nn.Module], *, weights: bool, aliases: Mapping[torch.Tensor, int] | None = None
) -> Separated:
    """Choose what stays outside: all parameters and buffers or none, and the states that `aliases` ties to outputs.

    States keep the order of `aliases`, weights that of the modules. Raises TraceRefused for a state that is no
    parameter or buffer of the modules, and for TorchScript modules.
    """
    if not weights and not aliases:
        return Separated()
    found = _kept_in(modules)
    tied = dict(aliases or {})
    for position, key in enumerate(tied):
        if not any(kept.value is key for kept in found):
            raise errors.TraceRefused(
                f"input_output_aliases: key {position} is {_described(key)}, which is no parameter or buffer of the "
                "model: use the tensors that the module itself holds"
            )
    by_identity = {id(kept.value): kept for kept in found}
    states = tuple(by_identity.pop(id(key)) for key in tied)
    return Separated(tuple(by_identity.values()) if weights else (), states, tuple(tied.values()))


def sharing(separated: Separated, first: int) -> list[sealing.Shared]:
    """Return which of them are views of one memory; the position of the first one of all is given."""
    found: dict[int, list[int]] = {}
    for position, kept in enumerate(separated.all()):
        found.setdefault(kept.value.untyped_storage().data_ptr(), []).append(position)
    names = [kept.names[0] for kept in separated.all()]
    return [
        sealing.Shared(frozenset(first + each for each in together), " and ".join(names[each] for each in together))
        for together in found.values()
        if len(together) > 1
    ]


@contextlib.contextmanager
def taken_out(separated: Separated) -> Iterator[None]:
    """Leave all places empty inside; afterwards they hold what they held."""
    try:
        for kept in separated.all():
            _put(kept, None)
        yield
    finally:
        for kept in separated.all():
            _put(kept, kept.value)


def put_in(separated: Separated, values: Sequence[torch.Tensor]) -> None:
    """Put other tensors in the places, for as long as they are taken out."""
    for kept, value in zip(separated.all(), values, strict=True):
        _put(kept, value)


def with_states_outside(
    model: Callable[..., Any], aliases: Mapping[torch.Tensor, int], inputs: int
) -> Callable[..., tuple[Any, list[torch.Tensor]]]:
    """Return the model as a function that takes its states after its inputs and returns their next values apart.

    `aliases` maps parameters or buffers to the output that is their next value; their order is that in which the
    function takes and returns them. An only remaining output is returned as it is. Raises TraceRefused for what is no
    module, for a tensor that is not the module's, and, when called, for outputs that the module does not have.
    """
    if not isinstance(model, torch.nn.Module):
        raise errors.TraceRefused(f"states belong to a module, got {type(model).__name__}")
    outside = separated([model], weights=False, aliases=aliases)

    def called(*tensors: torch.Tensor) -> tuple[Any, list[torch.Tensor]]:
        with taken_out(outside):
            put_in(outside, tensors[inputs:])
            outputs = model(*tensors[:inputs])
        places = outside.outputs
        if not isinstance(outputs, (tuple, list)) or not all(0 <= place < len(outputs) for place in places):
            raise errors.TraceRefused(
                f"input_output_aliases names outputs {list(places)} of a model that has other ones"
            )
        kept = tuple(output for place, output in enumerate(outputs) if place not in places)
        if not kept:
            raise errors.TraceRefused(EVERY_OUTPUT_NAMED)
        return kept[0] if len(kept) == 1 else kept, [outputs[place] for place in places]

    return called


def states_updated(
    outputs: Sequence[torch.Tensor], states: Sequence[torch.Tensor], positions: Sequence[int]
) -> tuple[torch.Tensor, ...]:
    """Write each state's output into it and return the other outputs.

    All of them are what they were before the first write, also where one is a view of a state. Raises TraceRefused for
    an output that cannot be a state's next value.
    """
    values = [output.clone() if any(_share(output, state) for state in states) else output for output in outputs]
    for state, position in zip(states, positions, strict=True):
        with torchscript.unrecorded():
            _check_alias(values, state, position)
        state.copy_(values[position])
    return tuple(value for position, value in enumerate(values) if position not in positions)


def _check_alias(outputs: Sequence[torch.Tensor], state: torch.Tensor, position: int) -> None:
    if not 0 <= position < len(outputs):
        raise errors.TraceRefused(f"input_output_aliases names output {position}, but the model has {len(outputs)}")
    output = outputs[position]
    if output.shape != state.shape or output.dtype != state.dtype:
        raise errors.TraceRefused(
            f"input_output_aliases: output {position} is {_described(output)}, its state is {_described(state)}: "
            "a state must keep its shape and type"
        )


def _kept_in(modules: Sequence[torch.nn.Module]) -> list[Kept]:
    found: dict[int, Kept] = {}
    for index, module in enumerate(modules):
        prefix = f"{index}." if len(modules) > 1 else ""
        for path, owner in module.named_modules(remove_duplicate=False):
            for table in (owner._parameters, owner._buffers):  # noqa: SLF001 - where torch.func puts its tensors too
                for key, value in table.items():
                    if value is not None:
                        _note(found, prefix + (f"{path}." if path else "") + key, value, owner, Place(table, key))
    return list(found.values())


def _note(found: dict[int, Kept], name: str, value: torch.Tensor, owner: torch.nn.Module, place: Place) -> None:
    if isinstance(owner, torch.jit.ScriptModule):
        raise errors.TraceRefused(
            f"{name} belongs to a TorchScript module: its tensors stay inside. Trace the original module"
        )
    kept = found.setdefault(id(value), Kept([], value, []))
    kept.names.append(name)
    if not any(known.table is place.table and known.key == place.key for known in kept.places):
        kept.places.append(place)


def _put(kept: Kept, value: torch.Tensor | None) -> None:
    for place in kept.places:
        place.table[place.key] = value


def _share(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()


def _described(value: Any) -> str:
    if not isinstance(value, torch.Tensor):
        return repr(value)
    return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
