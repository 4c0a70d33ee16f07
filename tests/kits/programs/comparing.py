"""Comparing with a fresh run on the CPU, to the bit."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch

import neuronspan_runtime


def seeded(make: Callable[[], torch.nn.Module], seed: int = 0) -> torch.nn.Module:
    """Make a model with the weights of this seed, for inference."""
    torch.manual_seed(seed)
    return make().eval()


def check(found: Any, make: Callable[[], torch.nn.Module], *inputs: Any, seed: int = 0) -> None:
    """Compare a result with that of a fresh model on the CPU."""
    with torch.no_grad():
        same(found, seeded(make, seed)(*inputs))


def same(found: Any, expected: Any) -> None:
    """Compare nested tensors, wherever they are. Raises AssertionError."""
    left, right = leaves(found), leaves(expected)
    assert len(left) == len(right) > 0, f"{len(left)} tensors instead of {len(right)}"
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(one.detach().cpu(), other.detach().cpu(), rtol=0, atol=0)


def leaves(value: Any) -> list[torch.Tensor]:
    """Return the tensors of a nested value in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, Mapping) else value
    return list(itertools.chain.from_iterable(map(leaves, items)))


def cores(*models: torch.nn.Module) -> list[str]:
    """Return the cores of the replicas of the models, node numbering."""
    return [str(span) for model in models for span in neuronspan_runtime.placement(model)]
