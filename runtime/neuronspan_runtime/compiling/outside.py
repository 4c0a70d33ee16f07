"""The half of a traced module that is made beside its compiled code: what holds its tensors, and how it is called.

Law: says how the tensors that `separation` took out are held and handed over; `weights` alone changes them later.
"""

from collections.abc import Sequence

import torch

from neuronspan_runtime.compiling import separation
from neuronspan_runtime.models import model, weights


class Tensors(torch.nn.Module):
    """Parameters under their attribute names; a copy of what they were given."""

    def __init__(self, kept: Sequence[separation.Kept]) -> None:
        super().__init__()
        for one in kept:
            copy = one.value.detach().cpu().clone()
            self.register_parameter(weights.attribute(one.names[0]), torch.nn.Parameter(copy, requires_grad=False))


def holders(separated: separation.Separated) -> dict[str, Tensors]:
    """Return the submodules that a traced module needs for what is outside of its compiled code."""
    return {name: Tensors(kept) for name, kept in _groups(separated).items()}


def names(separated: separation.Separated) -> dict[str, list[list[str]]]:
    """Return all names of each weight and each state, for a model's metadata; nothing when there is none."""
    return {name: [one.names for one in kept] for name, kept in _groups(separated).items()}


def call_of(separated: separation.Separated, arguments: Sequence[str]) -> str:
    """Return the TorchScript call of the compiled model of a module that has those submodules.

    `arguments` are the expressions of the caller's own tensors.
    """
    passed = f"[{', '.join([*arguments, *_expressions(weights.WEIGHTS, separated.weights)])}]"
    if separated.states:
        states = ", ".join(_expressions(weights.STATES, separated.states))
        return f"torch.ops.neuron.forward_with_states({passed}, [{states}], self.{model.ATTRIBUTE})"
    return f"torch.ops.neuron.forward_v2({passed}, self.{model.ATTRIBUTE})"


def _groups(separated: separation.Separated) -> dict[str, Sequence[separation.Kept]]:
    """Return the tensors by the submodule that holds them, without the empty ones."""
    groups = {weights.WEIGHTS: separated.weights, weights.STATES: separated.states}
    return {name: kept for name, kept in groups.items() if kept}


def _expressions(holder: str, kept: Sequence[separation.Kept]) -> list[str]:
    return [f"getattr(self.{holder}, {weights.attribute(one.names[0])!r})" for one in kept]
