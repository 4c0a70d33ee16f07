"""Former names of the placement functions: the same functions, with the warning that they moved."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from neuronspan_runtime.models import placing

__all__ = ["multicore_context", "neuron_cores_context", "set_multicore", "set_neuron_cores"]

P = ParamSpec("P")
R = TypeVar("R")


def _moved(function: Callable[P, R]) -> Callable[P, R]:
    name = function.__name__
    text = f"In a future version torch_neuronx.experimental.{name} will be removed.  Call torch_neuronx.{name} instead."

    @functools.wraps(function)
    def warn_and_call(*args: P.args, **kwargs: P.kwargs) -> R:
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        return function(*args, **kwargs)

    return warn_and_call


multicore_context = _moved(placing.multicore_context)
neuron_cores_context = _moved(placing.neuron_cores_context)
set_multicore = _moved(placing.set_multicore)
set_neuron_cores = _moved(placing.set_neuron_cores)
