"""How a saved model is loaded: `lazy_load` and `async_load`. Both are set before saving and travel in the file.

A lazy model takes NeuronCores and HBM at its first use. An asynchronous one is loaded in the background, in the order
of the torch.jit.load calls: these return before the weights are read and the cores are chosen, and the first use waits,
and raises what went wrong. The default placement is the one in force when torch.jit.load was called. A model that is
both is lazy. What a file says does not matter inside `disable_nrt_load`.

Law: loads nothing; the C++ library obeys the switches when it reads a file.
"""

import contextlib
import copy
from collections.abc import Iterator
from typing import TypeVar

import torch

from neuronspan_runtime.device import operators
from neuronspan_runtime.models import model

M = TypeVar("M", bound=torch.nn.Module)


def lazy_load(trace: torch.nn.Module, enable_lazy_load: bool = True) -> None:
    """Let the Neuron models of a trace, once saved, be loaded at their first use. Nothing happens without one."""
    for held in model.models_of(trace):
        held.set_lazy_load(enable_lazy_load)


def async_load(trace: torch.nn.Module, enable_async_load: bool = True) -> None:
    """Let the Neuron models of a trace, once saved, be loaded in the background. Nothing happens without one."""
    for held in model.models_of(trace):
        held.set_async_load(enable_async_load)


@contextlib.contextmanager
def disable_nrt_load() -> Iterator[None]:
    """Leave models that this thread reads or copies inside unloaded, until they are placed or used."""
    before = operators.set_loading(False)
    try:
        yield
    finally:
        operators.set_loading(before)


def unloaded_copy(trace: M) -> M:
    """Copy a trace without loading the copy, which would first take cores that it is not meant for."""
    with disable_nrt_load():
        return copy.deepcopy(trace)
