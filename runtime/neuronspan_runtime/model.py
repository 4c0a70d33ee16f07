"""A compiled model as the C++ library holds it, and how to find the ones inside a module.

A module may hold several (one per Neuron subgraph), or none: then placing it changes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, cast

import torch

from neuronspan import spans

ATTRIBUTE = "neuron_model"
"""Name under which a traced module holds its compiled model."""


class Model(Protocol):
    """`torch.classes.neuron.Model`: one compiled graph and the cores it is loaded on, in process numbering."""

    def cores_per_model(self) -> int:
        """Return how many consecutive cores one replica needs."""
        ...

    def placement(self) -> list[list[int]]:
        """Return [first core, number of cores] of each replica, nothing when it is not loaded."""
        ...

    def set_neuron_devices(self, start_nc: int, nc_count: int) -> None:
        """Unload, then load on these cores. Raises RuntimeError when they are not owned or too few."""
        ...

    def unload(self) -> None:
        """Take it off the cores; the next use loads it again."""
        ...

    def nbytes(self) -> int:
        """Return the bytes of HBM that one replica takes."""
        ...

    def stage_bytes(self) -> list[int]:
        """Return the bytes of weights of each pipeline stage; stage k is on the core k of a replica.

        One number for a model that was not cut: its weights are spread over the cores of a replica.
        """
        ...

    def metadata(self) -> str:
        """Return the JSON text that was given when it was made."""
        ...


def create(archives: Sequence[bytes], cores_per_model: int, metadata: str) -> Model:
    """Make a model, not loaded anywhere yet, from the TorchScript archive of each stage.

    A single archive runs on all cores of a replica. Raises RuntimeError for another number of archives than cores.
    """
    return cast("Model", torch.classes.neuron.Model(list(archives), cores_per_model, metadata))


def models_of(module: torch.nn.Module) -> Iterator[Model]:
    """Yield the compiled models inside a module, in module order."""
    for part in module.modules():
        held = getattr(part, ATTRIBUTE, None)
        if isinstance(held, torch.ScriptObject):
            yield cast("Model", held)


def spans_of(model: Model) -> tuple[spans.CoreSpan, ...]:
    """Return the cores of each replica, numbered from the process's first core."""
    return tuple(spans.CoreSpan(first, count) for first, count in model.placement())
