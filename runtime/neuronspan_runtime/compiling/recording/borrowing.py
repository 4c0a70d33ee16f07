"""Results of a part on the host that are not its own: an argument, a weight, a view of one or of another result.

What a NeuronCore computes is copied to the caller. What the host hands on as it is would let a caller who writes into
a result change the model, or the input of somebody else.

Law: finds them by running a program once, on copies, without gradients and without drawing from the user's numbers.
"""

from collections.abc import Iterable, Sequence

import torch

from neuronspan_runtime.compiling import torchscript


def of_host(recorded: torch.jit.ScriptModule, example_inputs: Sequence[torch.Tensor]) -> frozenset[int]:
    """Return which of the results of a recorded module are not its own."""
    given = [one.clone() for one in example_inputs]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        results = recorded(*given)
    return borrowed(results, [*given, *torchscript.tensors_of(recorded)])


def borrowed(results: Sequence[torch.Tensor], others: Iterable[torch.Tensor]) -> frozenset[int]:
    """Return the positions of the results that share memory with others, or with an earlier result."""
    taken = {_memory(one) for one in others if one.layout == torch.strided and one.numel() > 0}
    found = set()
    for position, result in enumerate(results):
        if result.numel() > 0 and _memory(result) in taken:
            found.add(position)
        taken.add(_memory(result))
    return frozenset(found)


def _memory(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
