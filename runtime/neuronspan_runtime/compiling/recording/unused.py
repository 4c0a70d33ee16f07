"""Inputs that a compiled program has no use for: nothing is computed from them, at most their shape is asked for.

A shape is a constant of a compiled program, so who only asks for it does not use the tensor. AWS's tracer drops such
an input, warns of it in the words below (logs of torch_neuronx, published in aws-neuron-sdk issue 906) and then takes
anything in its place.

Law: a graph that uses all of its inputs stays as it is.
"""

import inspect
import warnings
from collections.abc import Collection, Sequence
from typing import Any

import torch

_SIZE = "aten::size"


def settled(module: torch.jit.ScriptModule, examples: Sequence[torch.Tensor]) -> frozenset[int]:
    """Return the positions of the first inputs that are not used, those of the examples; their sizes become constants.

    The module's last inputs, which have no example here, are left alone.
    """
    whole: Any = module.inlined_graph.copy()
    torch._C._jit_pass_dce(whole)  # noqa: SLF001 - torch has no public passes
    found = frozenset(
        position
        for position, value in enumerate(_inputs(whole)[: len(examples)])
        if all(use.user.kind() == _SIZE and _is_constant(use.user) for use in value.uses())
    )
    if any(_inputs(whole)[position].uses() for position in found):
        graph: Any = module._c._get_method("forward").graph  # noqa: SLF001 - torch has no public way to change a graph
        torch._C._jit_pass_inline(graph)  # noqa: SLF001 - as above
        torch._C._jit_pass_dce(graph)  # noqa: SLF001 - as above
        for position in found:
            _freeze_sizes(graph, _inputs(graph)[position], examples[position].shape)
    return found


def warn(examples: Sequence[torch.Tensor], positions: Collection[int]) -> None:
    """Warn of unused inputs, in AWS's words, where the package was called."""
    for position in sorted(positions):
        example = examples[position]
        warnings.warn(
            "Received an input tensor that was unused. Tensor will be ignored. "
            f"(index={position}, shape={example.shape}, dtype={example.dtype})",
            UserWarning,
            stacklevel=_frames_to_the_caller(),
        )


def _inputs(graph: Any) -> list[Any]:
    return list(graph.inputs())[1:]


def _is_constant(size: Any) -> bool:
    """Return whether it is known which size is asked for; a loop of a script may ask for one after the other."""
    return all(given.toIValue() is not None for given in list(size.inputs())[1:])


def _freeze_sizes(graph: Any, value: Any, shape: torch.Size) -> None:
    for node in [use.user for use in value.uses()]:
        given = list(node.inputs())
        size = list(shape) if len(given) == 1 else shape[given[1].toIValue()]
        with graph.insert_point_guard(node):
            node.output().replaceAllUsesWith(graph.insertConstant(size))
        node.destroy()


def _frames_to_the_caller() -> int:
    """Count the frames from `warn` to the first one outside of the runtime, as `stacklevel` does."""
    own, level = __name__.partition(".")[0], 0
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == own:
        frame = frame.f_back
        level += 1
    return level
