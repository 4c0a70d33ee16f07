"""A compiled model as the C++ library holds it, and how to find the ones inside a module.

A module may hold several (one per Neuron subgraph), or none: then placing it changes nothing.

Law: makes, finds and types models; whatever they do is done in C++.
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
        """Unload, then load on these cores. Raises RuntimeError when they are not owned or too few; nothing changes."""
        ...

    def standing(self) -> list[int]:
        """Return where it was asked to be and where it is, for `put_back`."""
        ...

    def put_back(self, standing: list[int]) -> None:
        """Place it, or leave it unplaced, as it was."""
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

    def set_lazy_load(self, lazy: bool) -> None:
        """Load it at its first use once it is read from a file."""
        ...

    def lazy_load(self) -> bool:
        """Return whether it will be loaded at its first use."""
        ...

    def set_async_load(self, background: bool) -> None:
        """Load it in the background once it is read from a file."""
        ...

    def set_dynamic_batch(self, dynamic: bool) -> None:
        """Take any number of rows. Raises RuntimeError when its inputs do not have one batch size in dim 0."""
        ...

    def dynamic_batch(self) -> bool:
        """Return whether it takes any number of rows."""
        ...

    def set_signature(self, examples: list[torch.Tensor], names: list[str], arguments: int, states: int) -> None:
        """Fix the shapes and types it takes: `arguments` of the caller's, then weights, then `states` states."""
        ...

    def archives(self) -> list[torch.Tensor]:
        """Return the TorchScript archive of each stage, as bytes."""
        ...

    def inputs(self) -> list[torch.Tensor]:
        """Return tensors without values in the shapes and types that it takes."""
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
    for _, held in parts_of(module):
        yield held


def parts_of(module: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, Model]]:
    """Yield the compiled models inside a module, each after the module that holds it, in module order."""
    for part in module.modules():
        held = getattr(part, ATTRIBUTE, None)
        if isinstance(held, torch.ScriptObject):
            yield part, cast("Model", held)


def spans_of(model: Model) -> tuple[spans.CoreSpan, ...]:
    """Return the cores of each replica, numbered from the process's first core."""
    return tuple(spans.CoreSpan(first, count) for first, count in model.placement())
