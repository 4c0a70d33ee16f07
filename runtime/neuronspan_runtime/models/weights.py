"""What a traced module holds beside its compiled code: `weights` that can be replaced, `states` that calls write.

Both are submodules of parameters, named as in the original's state dict with "->" for ".". They stay on the CPU, and
are copied to the core by every call, until the trace is placed or moved: then they are moved to the core of its first
replica. Like every input, one on the CPU sends all outputs to the CPU.

Law: all of a replacement is checked before any of it is done.
"""

import itertools
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from neuronspan_runtime.models import model

WEIGHTS = "weights"
STATES = "states"
"""Names of the two submodules, and keys in the compiled model's metadata: all names of each tensor."""


def attribute(name: str) -> str:
    """Return the attribute that a tensor of this name is held under."""
    return name.replace(".", "->")


def replace_weights(neuron_model: torch.nn.Module, weights: torch.nn.Module | Mapping[str, torch.Tensor]) -> None:
    """Give the Neuron models of a module other weights: those of a module like the traced one, or of its state dict.

    Weights that are not given stay. Calls that are running end with the old ones. A model whose weights are inlined in
    its compiled code warns and stays as it is. Raises ValueError, and changes nothing, for a name the model does not
    have and for another shape or type.
    """
    given = _given(weights)
    found = list(_holders(neuron_model, WEIGHTS))
    if not found:
        warnings.warn(
            "The weights of this model are inlined in its compiled code (NEFF) and were not replaced. "
            "Trace it with inline_weights_to_neff=False",
            UserWarning,
            stacklevel=2,
        )
        return
    changes = [(holder, _changes(holder, json.loads(held.metadata()), given)) for held, holder in found]
    for holder, changed in changes:
        for name, value in changed.items():
            setattr(holder, name, _parameter(value))


def move_to_models(trace: torch.nn.Module) -> None:
    """Move the weights and states of loaded models to the core of their first replica, if they are not there."""
    for name in (WEIGHTS, STATES):
        for held, holder in _holders(trace, name):
            target = torch.device("neuron", held.placement()[0][0])
            for key, value in list(holder.named_parameters()):
                if value.device != target:
                    setattr(holder, key, _parameter(value.detach().to(target)))


def outside(trace: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Parameter]]:
    """Yield the weights and states outside: what holds each, the attribute there, and the tensor."""
    for name in (WEIGHTS, STATES):
        for _, holder in _holders(trace, name):
            for key, value in holder.named_parameters():
                yield holder, key, value


def _holders(module: torch.nn.Module, name: str) -> Iterator[tuple[model.Model, torch.nn.Module]]:
    for part, held in model.parts_of(module):
        holder = dict(part.named_children()).get(name)
        if holder is not None:
            yield held, holder


def _given(weights: torch.nn.Module | Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    if isinstance(weights, torch.nn.Module):
        return dict(weights.named_parameters(remove_duplicate=False)) | dict(
            weights.named_buffers(remove_duplicate=False)
        )
    return dict(weights)


def _changes(
    holder: torch.nn.Module, metadata: Mapping[str, Any], given: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    names: list[list[str]] = metadata[WEIGHTS]
    known = itertools.chain(*names, *metadata.get(STATES, ()))  # states are what calls made of them
    if unknown := given.keys() - set(known):
        raise ValueError(
            f"the model has no weight {', '.join(sorted(unknown))}; it has {', '.join(one[0] for one in names)}"
        )
    changed = {}
    for all_names in names:
        for name in set(all_names) & given.keys():
            old, new = getattr(holder, attribute(all_names[0])), given[name]
            if old.shape != new.shape or old.dtype != new.dtype:
                raise ValueError(
                    f"weight {name} is {new.dtype} {list(new.shape)}, but the model was compiled for "
                    f"{old.dtype} {list(old.shape)}"
                )
            changed[attribute(all_names[0])] = new.detach().to(old.device, copy=True)
    return changed


def _parameter(value: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(value, requires_grad=False)
