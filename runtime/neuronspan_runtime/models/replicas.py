"""What a program can see of its placement: where the replicas of a model are, and which cores the process owns.

Law: observes only; nothing is placed or moved.
"""

import dataclasses

import torch

from neuronspan import spans
from neuronspan_runtime.device import session
from neuronspan_runtime.models import model


@dataclasses.dataclass(frozen=True, order=True)
class ReplicaSpan:
    """The cores that one replica of a model is loaded on."""

    first: int
    """Node numbering."""
    count: int
    local: spans.CoreSpan
    """The same cores in the numbering of this process, whose first core is 0: `neuron:<n>` and `start_nc` use it."""

    def __str__(self) -> str:
        return str(spans.CoreSpan(self.first, self.count))


def placement(module: torch.nn.Module) -> tuple[ReplicaSpan, ...]:
    """Return the cores of every replica of every Neuron model in the module, in the order in which they are used.

    Empty for a module without Neuron models and for a traced model that was not used yet: it is loaded at first use.
    """
    located = [local for held in model.models_of(module) for local in model.spans_of(held)]
    if not located:
        return ()
    first = session.start().span.first
    return tuple(ReplicaSpan(local.first + first, local.count, local) for local in located)


def owned_cores() -> spans.CoreSpan:
    """Return the cores this process owns, node numbering. A first use: they are claimed now if they were not yet.

    Raises StartRefused when they cannot be had.
    """
    return session.start().span
