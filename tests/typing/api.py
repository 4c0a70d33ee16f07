"""The public types of the runtime, as a user's type checker sees them. Checked by mypy, never run."""

from contextlib import AbstractContextManager
from typing import assert_type

import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from neuronspan.spans import CoreSpan


def trace(model: torch.nn.Module, example: torch.Tensor) -> None:
    """Tracing takes modules and functions and gives something that can be called and saved."""
    assert_type(torch_neuronx.trace(model, example), torch.jit.ScriptModule)
    assert_type(torch_neuronx.trace(torch.relu, (example,), compiler_args="-O1"), torch.jit.ScriptModule)
    assert_type(torch_neuron.trace(model, [example], compiler_args=["-O1"]), torch.jit.ScriptModule)


def place(model: torch.jit.ScriptModule) -> None:
    """Both packages place alike."""
    context: AbstractContextManager[None] = torch_neuronx.neuron_cores_context(0, nc_count=2)
    with context as value:
        assert_type(value, None)
    with torch_neuronx.multicore_context(), torch_neuron.experimental.neuron_cores_context(start_nc=1):
        torch_neuronx.set_neuron_cores(model, start_nc=0, nc_count=1)
        torch_neuron.experimental.set_multicore(model)
        torch_neuronx.experimental.set_multicore(model)
    torch_neuronx.move_trace_to_device(model, 0)


def observe(model: torch.nn.Module) -> None:
    """What is seen of a placement is made of spans."""
    assert_type(neuronspan_runtime.owned_cores(), CoreSpan)
    assert_type(neuronspan_runtime.placement(model), tuple[neuronspan_runtime.ReplicaSpan, ...])
    for replica in neuronspan_runtime.placement(model):
        assert_type(replica.first, int)
        assert_type(replica.count, int)
        assert_type(replica.local, CoreSpan)
    neuronspan_runtime.close()
