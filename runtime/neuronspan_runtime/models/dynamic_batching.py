"""Dynamic batching: a compiled model takes any number of rows, which become calls of the size it was traced with.

Only dim 0 is free, all inputs must agree on it, and every output must have the batch in dim 0. The last call is filled
up with zeros. Inputs on the device keep their outputs there. The switch travels in the file.

Law: all models of a trace are switched, or none.
"""

from typing import TypeVar

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.models import model

M = TypeVar("M", bound=torch.nn.Module)


def dynamic_batch(trace: M, enable: bool = True) -> M:
    """Switch dynamic batching of the trace's Neuron models and return the trace, which is changed in place.

    Raises NotBatchable, `Inconsistent batch sizes found on inputs` among others, for a model whose inputs do not have
    one batch size in dim 0, and then changes nothing. A wrong size in a call is an error of the call, as always: any
    error in TorchScript reaches Python as a RuntimeError.
    """
    found = list(model.models_of(trace))
    old = [held.dynamic_batch() for held in found]
    try:
        for held in found:
            held.set_dynamic_batch(enable)
    except RuntimeError as error:
        for held, before in zip(found, old, strict=True):
            held.set_dynamic_batch(before)
        raise errors.NotBatchable(str(error)) from error
    return trace
