"""Recording a model for good: what it computes, without what it does beside that.

Law: the user's model, example and variables are afterwards what they were; what was recorded writes nothing but states.
"""

from collections.abc import Sequence

import torch

from neuronspan_runtime.compiling import reachable, sealing, torchscript


def recorded(
    module: torch.nn.Module,
    example_inputs: Sequence[torch.Tensor],
    states: int = 0,
    shared: Sequence[sealing.Shared] = (),
) -> torch.jit.ScriptModule:
    """Record what the module computes for these inputs; the last `states` of them are what its calls may write.

    Raises TraceRefused, as `sealing.sealed` does, for effects that cannot be left out.
    """
    found = reachable.tensors(module)
    with reachable.unchanged(found):
        traced = torchscript.recorded(module, example_inputs)
    storages = {one.untyped_storage().data_ptr() for one in found if one.layout == torch.strided}
    sealing.sealed(traced, states, shared, lambda tensor: tensor.untyped_storage().data_ptr() in storages)
    return traced
