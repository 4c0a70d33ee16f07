"""A recorded model without effects: what it would write into is copied first, in each call.

A compiled program reads its inputs and its weights from memory that is not its caller's, and has nothing but its
outputs and the states that it declares (AWS's trace guide: weights are constants unless input_output_aliases names
them). A graph that writes nothing stays as it was recorded, to the last node.

Law: changes no result of the first call; calls torch.jit only through `torchscript`'s modules.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling.recording import effects, undeclared

Known = Callable[[torch.Tensor], bool]
"""Whether the tensor held what it holds before the model was recorded."""


@dataclasses.dataclass(frozen=True)
class Shared:
    """Inputs that are views of one memory where they come from."""

    positions: frozenset[int]
    names: str


def sealed(
    module: torch.jit.ScriptModule, states: int = 0, shared: Sequence[Shared] = (), known: Known = lambda _: True
) -> None:
    """Put copies in front of everything that the module's `forward` writes, its last `states` inputs excepted.

    Raises TraceRefused for a constant that is written and not `known`: recording has changed it already; for inputs
    that are `shared`, of which one is written and another one used; and for a TorchScript module that sets its
    attributes.
    """
    if not effects.writes(module.inlined_graph):
        return
    graph: Any = module._c._get_method("forward").graph  # noqa: SLF001 - torch has no public way to change a graph
    torch._C._jit_pass_inline(graph)  # noqa: SLF001 - as above
    _refuse_set_attributes(graph)
    undeclared.declare(graph, effects.nodes(graph))
    found = effects.sources(graph)
    written = effects.written(graph, found) - set(found.inputs[len(found.inputs) - states :])
    for together in shared:
        _refuse_shared(graph, together, [position for position, name in enumerate(found.inputs) if name in written])
    _copy_inputs(graph, written)
    _copy_tensors(graph, module, found, written, known)


def _refuse_shared(graph: Any, together: Shared, written: Sequence[int]) -> None:
    used = [position for position, value in enumerate(list(graph.inputs())[1:]) if value.uses()]
    if together.positions & set(written) and len(together.positions & set(used)) > 1:
        raise errors.TraceRefused(
            f"{together.names} share memory, and the model writes into it: weights outside are tensors of their own. "
            "Trace it with its weights inside"
        )


def _refuse_set_attributes(graph: Any) -> None:
    for node in effects.nodes(graph):
        if node.kind() == "prim::SetAttr":
            raise errors.TraceRefused(
                f"a TorchScript module sets its attribute {node.s('name')} in forward, and a compiled program keeps "
                "nothing between calls: return the value, or trace the original module"
            )


def _copy_inputs(graph: Any, written: frozenset[str]) -> None:
    with graph.insert_point_guard(next(graph.nodes())):
        for value in list(graph.inputs()):
            if value.debugName() in written:
                copy = _inserted(graph, "aten::clone", [value, graph.insertConstant(None)])
                value.replaceAllUsesWith(copy)
                copy.node().replaceInput(0, value)


def _copy_tensors(
    graph: Any, module: torch.jit.ScriptModule, found: effects.Sources, written: frozenset[str], known: Known
) -> None:
    """Copy the weights and constants that are written, and with each whatever shares its storage."""
    named = found.attributes.keys() | set(found.constants)
    values = {
        value.debugName(): value
        for node in effects.nodes(graph)
        for value in node.outputs()
        if value.debugName() in named
    }
    held = {name: _held(module, path) for name, path in found.attributes.items()}
    held |= {name: values[name].node().t("value") for name in found.constants}
    touched = {_storage(held[name]) for name in written & held.keys()}
    groups: dict[int, list[str]] = {}
    for name, tensor in held.items():
        if _storage(tensor) in touched:
            groups.setdefault(_storage(tensor), []).append(name)
    for name in found.constants:
        if _storage(held[name]) in touched and not known(held[name]):
            raise errors.TraceRefused(_UNKNOWN_CONSTANT.format(list(held[name].shape)))
    with graph.insert_point_guard(next(graph.nodes())):
        for names in groups.values():
            _copy_group(graph, [(values[name], held[name]) for name in names])


def _copy_group(graph: Any, members: Sequence[tuple[Any, torch.Tensor]]) -> None:
    """Copy tensors of one storage once, so that they still share it."""
    layouts = [_Layout.of(tensor) for _, tensor in members]
    if len({layout.dtype for layout in layouts}) > 1:
        raise errors.TraceRefused(
            "the model writes into a tensor that it also holds as a view of another type: make them two tensors"
        )
    alone = len(set(layouts)) == 1
    source, tensor = members[0]
    here = _copied(graph, source)
    if not alone:
        here = _as_strided(graph, here, _Layout.of_storage(tensor))
    copy = _inserted(graph, "aten::clone", [here, graph.insertConstant(None)])
    for (value, _), layout in zip(members, layouts, strict=True):
        value.replaceAllUsesWith(copy if alone else _as_strided(graph, copy, layout))


@dataclasses.dataclass(frozen=True)
class _Layout:
    """Where a tensor lies in its storage, counted in elements."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "_Layout":
        return cls(int(tensor.storage_offset()), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)

    @classmethod
    def of_storage(cls, tensor: torch.Tensor) -> "_Layout":
        return cls(0, (tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), tensor.dtype)


def _as_strided(graph: Any, value: Any, layout: _Layout) -> Any:
    numbers = (list(layout.shape), list(layout.strides), layout.offset)
    return _inserted(graph, "aten::as_strided", [value, *(graph.insertConstant(number) for number in numbers)])


def _copied(graph: Any, value: Any) -> Any:
    """Insert what makes an attribute or a constant once more, and return its value there."""
    node = value.node()
    if node.kind() == "prim::Param":
        return value
    copy = graph.createClone(node, lambda owner: _copied(graph, owner))
    graph.insertNode(copy)
    return copy.output()


def _inserted(graph: Any, kind: str, arguments: Sequence[Any]) -> Any:
    return graph.insertNode(graph.create(kind, list(arguments), 1)).output()


def _held(module: torch.jit.ScriptModule, path: Sequence[str]) -> torch.Tensor:
    owner: Any = module
    for name in path:
        owner = getattr(owner, name)
    tensor: torch.Tensor = owner
    return tensor


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


_UNKNOWN_CONSTANT = (
    "the model writes into a tensor of shape {} that belongs to no module, argument or variable that can be found from "
    "it, so that recording has changed it for good: make it a buffer of the module"
)
