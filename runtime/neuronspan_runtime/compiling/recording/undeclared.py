"""Operators whose results may share memory with their arguments although torch's declarations do not say so.

`torch.dropout` returns its argument itself outside of training, `einsum` of one tensor a view of it. Who writes into
such a result writes into the argument, and neither torch's passes nor a look at the declarations see that.

Law: what is rewritten computes the same; an operator that always makes its own results is never named here.
"""

from collections.abc import Iterable, Sequence
from typing import Any

VIEWS = frozenset(
    f"aten::{name}"
    for name in (
        "_cast_Byte", "_cast_Char", "_cast_Double", "_cast_Float", "_cast_Half", "_cast_Int", "_cast_Long",
        "_cast_Short", "_reshape_from_tensor", "_to_cpu", "_unsafe_view", "atleast_1d", "atleast_2d", "atleast_3d",
        "broadcast_tensors", "chalf", "lift", "meshgrid", "type_as", "unflatten_dense_tensors", "unsafe_chunk",
        "unsafe_split", "unsafe_split_with_sizes",
    )
)  # fmt: skip
"""Those that compute nothing."""

_DROPOUTS = frozenset(
    f"aten::{name}" for name in ("alpha_dropout", "dropout", "feature_alpha_dropout", "feature_dropout")
)


OPERATORS = VIEWS | _DROPOUTS | frozenset(
    f"aten::{name}"
    for name in (
        "_conj_physical", "cartesian_prod", "chain_matmul", "conj_physical", "einsum", "flatten_dense_tensors",
        "histogramdd", "native_dropout", "sum_to_size",
    )
)  # fmt: skip
"""All of them: found by running torch's database of operators, and by reading those that torch takes apart itself."""


_OF_ONE = {
    "aten::cartesian_prod": 0, "aten::chain_matmul": 0, "aten::einsum": 1, "aten::flatten_dense_tensors": 0,
}  # fmt: skip
"""Those that share with a tensor that is alone in their list, and the position of the list."""


def shares(node: Any) -> bool:
    """Return whether a result may share memory with an argument although torch's schema does not say so."""
    if (position := _OF_ONE.get(node.kind())) is not None:
        made = node.inputsAt(position).node()
        return bool(made.kind() != "prim::ListConstruct" or made.inputsSize() == 1)
    return node.kind() in OPERATORS


def declare(graph: Any, nodes: Iterable[Any]) -> None:
    """Put operators that say what they share in the place of the usual ones that do not."""
    for node in list(nodes):
        if node.kind() in _DROPOUTS and _drops_nothing(list(node.inputs())):
            node.output().replaceAllUsesWith(node.inputsAt(0))
            node.destroy()
        elif node.kind() == "aten::type_as":
            with graph.insert_point_guard(node):
                flags = [graph.insertConstant(value) for value in (False, False, None)]
                same = graph.insertNode(graph.create("aten::to", [*node.inputs(), *flags], 1)).output()
            same.setType(node.output().type())
            node.output().replaceAllUsesWith(same)
            node.destroy()


def _drops_nothing(given: Sequence[Any]) -> bool:
    _, share, training = given
    return training.toIValue() is False or share.toIValue() == 0
