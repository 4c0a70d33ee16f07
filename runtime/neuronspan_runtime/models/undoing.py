"""A change that is refused changes nothing: a trace's models, and its tensors beside them, are put back as they were.

A trace may hold several models, and what is asked for may suit some of them only.

Law: notes before, puts back after an error; changes nothing itself.
"""

import contextlib
from collections.abc import Iterator

import torch

from neuronspan_runtime.models import model, weights


@contextlib.contextmanager
def as_before_when_refused(trace: torch.nn.Module) -> Iterator[None]:
    """Let cores, dynamic batching, and weights and states outside be what they were when something inside raises."""
    models = [(held, held.standing(), held.dynamic_batch()) for held in model.models_of(trace)]
    tensors = list(weights.outside(trace))
    try:
        yield
    except BaseException:
        for holder, key, value in tensors:
            if getattr(holder, key) is not value:
                setattr(holder, key, value)
        moved = [(held, standing) for held, standing, _ in models if held.standing() != standing]
        for held, _ in moved:  # all of them first: one may be where another one was
            held.unload()
        for held, standing in moved:
            held.put_back(standing)
        for held, _, dynamic in models:
            held.set_dynamic_batch(dynamic)
        raise
