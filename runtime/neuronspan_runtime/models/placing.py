"""The explicit placement API of torch_neuron.experimental and torch_neuronx; order and texts of its checks are AWS's.

`start_nc` counts from the process's first core, -1 is the least used one; `nc_count` -1 is what the model needs, more
makes floor(nc_count / cores_per_model) replicas. The default that the contexts change belongs to the whole process, so
they are not for several threads.

Law: keeps no state of its own; which cores a model has is known to the C++ library alone.
"""

import contextlib
import operator
from collections.abc import Iterator
from typing import SupportsIndex

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.device import operators, session
from neuronspan_runtime.models import model, undoing, weights


def set_neuron_cores(trace: torch.nn.Module, start_nc: int = -1, nc_count: int = -1) -> None:
    """Load every Neuron model of the module on these cores, off its old ones first. Nothing happens without one.

    Weights and states outside the compiled code are moved to the core of its first replica.
    Raises TypeError for what is no number, ValueError for an impossible one, RuntimeError when the cores are not this
    process's; then every model is where it was.
    """
    start_nc, nc_count = _checked(start_nc, nc_count)
    _place(trace, start_nc, nc_count)


def set_multicore(trace: torch.nn.Module) -> None:
    """Load every Neuron model of the module on all cores of the process, as many replicas as fit."""
    set_neuron_cores(trace, 0, _visible_cores())


@contextlib.contextmanager
def neuron_cores_context(start_nc: int = -1, nc_count: int = -1) -> Iterator[None]:
    """Load the models inside on these cores; they may run outside. Raises as set_neuron_cores does."""
    old = operators.default_cores()
    start_nc, nc_count = _checked(start_nc, nc_count)
    operators.set_default_cores(start_nc, nc_count)
    try:
        yield
    finally:
        operators.set_default_cores(*old)


@contextlib.contextmanager
def multicore_context() -> Iterator[None]:
    """Load the models inside on all cores of the process, as many replicas as fit."""
    with neuron_cores_context(0, _visible_cores()):
        yield


def move_trace_to_device(trace: torch.nn.Module, device_id: int) -> None:
    """Load the module's Neuron models on one core, and make it the default of every later load in this process.

    Weights and states outside the compiled code go with them. Raises TypeError for what is no number, ValueError for
    one below 0, RuntimeError when the core is not this process's; then models and default are what they were.
    """
    device_id = _core_number("device_id", device_id)
    visible = _visible_cores()
    if device_id < 0 or (device_id >= visible and next(model.models_of(trace), None) is None):
        raise ValueError(
            f"device_id={device_id} is no NeuronCore of this process, which has {visible}: 0 to {visible - 1}"
        )
    _place(trace, device_id, -1)
    operators.set_default_cores(device_id, -1)


def _place(trace: torch.nn.Module, start_nc: int, nc_count: int) -> None:
    with undoing.as_before_when_refused(trace):
        for held in model.models_of(trace):
            held.set_neuron_devices(start_nc, nc_count)
        weights.move_to_models(trace)


def _checked(start_nc: int, nc_count: int) -> tuple[int, int]:
    """Return both as plain numbers; whether there is a core `start_nc` is noticed when a model is loaded."""
    start, count = _core_number("start_nc", start_nc), _core_number("nc_count", nc_count)
    _check_count(count)
    if start < -1:
        raise ValueError(
            f"Invalid NeuronCore index start_nc={start}. Use one from 0, counted from the process's first core, or -1 "
            "for the least used one"
        )
    return start, count


def _core_number(name: str, value: SupportsIndex) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name}={value!r} is {type(value).__name__}, and NeuronCores are counted: use the number of a core of "
            "this process, such as 0 for its first one"
        ) from None


def _check_count(nc_count: int) -> None:
    if nc_count == 0:
        raise ValueError(f"Invalid NeuronCore count nc_count={nc_count}. Cannot be set to 0")
    if nc_count < -1:
        raise ValueError(f"Invalid NeuronCore count nc_count={nc_count}. Values less than -1 are invalid")
    if nc_count != -1 and nc_count > (visible := _visible_cores()):
        raise ValueError(f"Invalid NeuronCore count nc_count={nc_count}. NeuronCores available: {visible}")


def _visible_cores() -> int:
    try:
        return session.start().span.count
    except errors.StartRefused as refused:
        raise errors.StartRefused(*refused.lines, text=errors.CORES_UNKNOWN) from refused
