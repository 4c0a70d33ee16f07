"""Recording a model for good: what it computes, without what it does beside that.

Law: the user's model, example and variables are afterwards what they were; what was recorded writes nothing but states.
"""

from collections.abc import Sequence

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.recording import data_attribute, hosting, reachable, sealing, unfolding


def recorded(
    module: torch.nn.Module,
    example_inputs: Sequence[torch.Tensor],
    states: int = 0,
    shared: Sequence[sealing.Shared] = (),
) -> torch.jit.ScriptModule:
    """Record what the module computes for these inputs; the last `states` of them are what its calls may write.

    What of it is on the device is recorded on the host, and stays where it is. Raises TraceRefused, as `sealing.sealed`
    does, for effects that cannot be left out, and for a module that neither torch.jit nor `unfolding` can follow;
    whatever the module itself raises.
    """
    found, twins = reachable.tensors(module), hosting.Twins()
    held = [twins.of(one) for one in found]
    with (
        reachable.unchanged(held),
        hosting.on_host(module, twins, found),
        unfolding.without_compilers(),
        data_attribute.recordable(),
    ):
        traced = _traced(module, example_inputs)
    storages = {one.untyped_storage().data_ptr() for one in held if one.layout == torch.strided}
    sealing.sealed(traced, states, shared, lambda tensor: tensor.untyped_storage().data_ptr() in storages)
    return traced


def _traced(module: torch.nn.Module, example_inputs: Sequence[torch.Tensor]) -> torch.jit.ScriptModule:
    """Record with torch.jit, which keeps the module's names and weights; what it cannot follow is unfolded first."""
    try:
        traced = torchscript.recorded(module, example_inputs)
        if not (hindrance := unfolding.hindrance(traced)):
            return traced
    except errors.TraceRefused:
        raise
    except Exception as error:
        if not unfolding.runs(module, example_inputs):
            raise
        hindrance = str(error)
    try:
        return torchscript.recorded(unfolding.unfolded(module, example_inputs), example_inputs)
    except Exception as error:
        raise errors.TraceRefused(
            f"torch cannot record this model: {hindrance}. Taken apart into plain operators, it fails with: {error}. "
            "Write the part without numbers that Python takes out of tensors, or keep it outside of the model"
        ) from error
