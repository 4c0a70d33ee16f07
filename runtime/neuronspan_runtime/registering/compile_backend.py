"""`torch.compile(..., backend="neuron")`: the entry point that Dynamo finds (group `torch_dynamo_backends`).

A captured graph runs as it is, operator by operator, on whatever device its tensors are: a device of this kind has no
code that could be generated for it. Ahead of time models are compiled with `torch_neuronx.trace`.

Law: a captured graph computes what the function did; nothing of it is changed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch


def neuron(graph: torch.fx.GraphModule, inputs: Sequence[Any], **options: Any) -> Callable[..., Any]:  # noqa: ARG001
    """Return what runs a captured graph. Dynamo hands on `mode` and `options`: they steer a code generator's work."""
    return graph.forward
