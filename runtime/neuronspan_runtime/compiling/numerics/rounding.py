"""Casts in a recorded graph: a float32 operand is rounded to the smaller type and is float32 again before it is used.

The product of two such numbers is exact in float32, so what follows is what a matrix engine computes that takes the
smaller type and accumulates in float32 ("accumulations using FP32": AWS's "Mixed precision and performance-accuracy
tuning"). tf32 has no type in torch: the number is rounded to its 11 significant bits. fp8_e4m3 is torch's
`float8_e4m3fn`.

Law: pure but for the graph it is given; operands that an operation may write into, or return a view of, stay.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.numerics import casts, recurrence
from neuronspan_runtime.compiling.recording import effects, undeclared

_ROUNDED: Mapping[casts.Type, str] = {
    casts.Type.BF16: "x.to(torch.bfloat16).to(torch.float32)",
    casts.Type.FP16: "x.to(torch.float16).to(torch.float32)",
    casts.Type.FP8_E4M3: "x.to(torch.float8_e4m3fn).to(torch.float32)",
    # in float64, as 2 to the largest exponent is beyond float32
    casts.Type.TF32: "torch.ldexp((torch.round(torch.frexp(x)[0] * 2048) / 2048).to(torch.float64), "
    "torch.frexp(x)[1]).to(torch.float32)",
}

_SOURCE = """
def rounded(x: Tensor) -> Tensor:
    if x.dtype == torch.float32:
        return {}
    return x

def all_rounded(xs: List[Tensor]) -> List[Tensor]:
    return [rounded(x) for x in xs]
"""

_FIRST_TWO, _AFTER_SUMMAND = (0, 1), (1, 2)
_MATRIX_ENGINE: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("mm", "bmm", "matmul", "mv", "dot", "vdot", "inner", "linear", "tensordot"), _FIRST_TWO),
    **dict.fromkeys(("linalg_matmul", "linalg_vecdot"), _FIRST_TWO),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_tbc", "convolution", "_convolution"), _FIRST_TWO),
    **dict.fromkeys(("_convolution_mode", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _FIRST_TWO),
    **dict.fromkeys(("addmm", "addmv", "addbmm", "baddbmm", "addmm_", "addmv_", "addbmm_", "baddbmm_"), _AFTER_SUMMAND),
    **dict.fromkeys(("scaled_dot_product_attention", "bilinear"), (0, 1, 2)),
    **dict.fromkeys(("chain_matmul", "linalg_multi_dot"), (0,)),
    "einsum": (1,),
}
"""Operators of `aten` that multiply matrices, and the positions of their factors; a summand or a bias is none."""


def cast(module: torch.jit.ScriptModule, chosen: casts.Casts | None) -> torch.jit.ScriptModule:
    """Round the float32 operands in a recorded module's `forward`, and return it; None leaves it as it is."""
    if chosen is None:
        return module
    graph: Any = module._c._get_method("forward").graph  # noqa: SLF001 - torch has no public way to change a graph
    torch._C._jit_pass_inline(graph)  # noqa: SLF001 - as above
    recurrence.unfold(graph)
    source = _SOURCE.format(_ROUNDED[chosen.type])
    of_one, of_list = (torchscript.graph_of(source, name) for name in ("rounded", "all_rounded"))
    for node in list(effects.nodes(graph)):
        for position in _operands(node, chosen.scope):
            value = node.inputsAt(position)
            with graph.insert_point_guard(node):
                (result,) = graph.insertGraph(of_list if _is_list(value) else of_one, [value])
            node.replaceInput(position, result)
    return module


@contextlib.contextmanager
def recordable(chosen: casts.Casts | None) -> Iterator[None]:
    """Let torch's transformer layers be recorded as the operators they are made of: nothing can be cast inside of one.

    None leaves it to torch.
    """
    if chosen is None:
        yield
        return
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(value=False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(value=enabled)


def _operands(node: Any, scope: casts.Scope) -> list[int]:
    """Return the positions of what is rounded of an operation."""
    namespace, _, name = node.kind().partition("::")
    schema = effects.schema(node)
    if namespace != "aten" or schema is None:
        return []
    if scope is casts.Scope.MATMULT:
        positions = list(_MATRIX_ENGINE.get(name, ()))
    elif node.kind() in undeclared.VIEWS:
        return []  # what it returns may be written, and its argument with it
    elif any(map(_may_be_rounded, node.outputs())):
        written = effects.statistics(node)
        positions = [index for index in range(node.inputsSize()) if index not in written]
    else:
        return []  # asks for a size or a type
    return [
        index
        for index in positions
        if schema.arguments[index].alias_info is None and _may_be_rounded(node.inputsAt(index))
    ]


def _may_be_rounded(value: Any) -> bool:
    if _is_list(value):
        return True
    kind = value.type()
    return bool(kind.kind() == "TensorType" and kind.scalarType() in {None, "Float"})


def _is_list(value: Any) -> bool:
    kind = value.type()
    return bool(kind.kind() == "ListType" and kind.getElementType().kind() == "TensorType")
