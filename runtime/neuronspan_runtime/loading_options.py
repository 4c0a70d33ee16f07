"""How a saved model is loaded: `lazy_load` and `async_load`. Both are set before saving and travel in the file.

A lazy model takes NeuronCores and HBM at its first use. An asynchronous one is loaded in the background, in the order
of the torch.jit.load calls: these return before the weights are read and the cores are chosen, and the first use waits,
and raises what went wrong. The default placement is the one in force when torch.jit.load was called. A model that is
both is lazy.
"""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch

from neuronspan_runtime import model

M = TypeVar("M", bound=torch.nn.Module)


def lazy_load(trace: torch.nn.Module, enable_lazy_load: bool = True) -> None:
    """Let the Neuron models of a trace, once saved, be loaded at their first use. Nothing happens without one."""
    for held in model.models_of(trace):
        held.set_lazy_load(enable_lazy_load)


def async_load(trace: torch.nn.Module, enable_async_load: bool = True) -> None:
    """Let the Neuron models of a trace, once saved, be loaded in the background. Nothing happens without one."""
    for held in model.models_of(trace):
        held.set_async_load(enable_async_load)


def unloaded_copy(trace: M) -> M:
    """Copy a trace without loading the copy, which would first take cores that it is not meant for."""
    old = [held.lazy_load() for held in model.models_of(trace)]
    lazy_load(trace)
    try:
        copied = copy.deepcopy(trace)
    finally:
        _set_lazy(trace, old)
    _set_lazy(copied, old)
    return copied


def _set_lazy(trace: torch.nn.Module, flags: Sequence[bool]) -> None:
    for held, lazy in zip(model.models_of(trace), flags, strict=True):
        held.set_lazy_load(lazy)
