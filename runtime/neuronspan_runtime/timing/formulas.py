"""Operations that operators do on the matrix engine, and which operators are known to do none.

torch's own formulas (`torch.utils.flop_counter`) count matrix products, convolutions and attention; here is the rest:
products with vectors, and what the CPU does in one operator: attention, recurrent and transformer layers.

Law: pure; shapes in, numbers out. An operator that is neither here nor in torch's list, and not element by element, is
unknown.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import flop_counter

Formula = Callable[[Sequence[Any], Any], int]
"""From the arguments of a call and its result to the operations; multiply and add are two."""


def of(operator: Any) -> Formula | None:
    """Return the formula of an operator such as `torch.ops.aten.mm.default`, None when the matrix engine is idle."""
    packet = operator.overloadpacket
    if packet in flop_counter.flop_registry:
        counted: Any = flop_counter.flop_registry[packet]
        return lambda arguments, result: int(counted(*arguments, out_val=result))
    return _FORMULAS.get(name_of(operator))


def is_known(operator: Any) -> bool:
    """Return whether an operator without a formula is one that the vector engine computes or that only moves."""
    return torch.Tag.pointwise in operator.tags or name_of(operator) in _VECTOR


def name_of(operator: Any) -> str:
    """Return an operator's name without its overload, and without the mark of one that writes in place."""
    namespace, _, name = operator.name().partition("::")
    plain = name.partition(".")[0]
    return plain.removesuffix("_") if namespace == "aten" else f"{namespace}::{plain}"


def _with_vector(arguments: Sequence[Any], _: Any) -> int:
    """Of a matrix or a vector with a vector: each element of the largest factor is multiplied and added once."""
    return 2 * max(one.numel() for one in arguments if isinstance(one, torch.Tensor))


def _attention(arguments: Sequence[Any], _: Any) -> int:
    query, key, value = (one.shape for one in arguments[:3])
    return int(flop_counter.sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _recurrent_layer(arguments: Sequence[Any], _: Any) -> int:
    """Of `mkldnn_rnn_layer`: both weights once for each step and row; the state's size is the weights' last one."""
    steps_and_rows = arguments[0].shape[0] * arguments[0].shape[1]
    return int(2 * steps_and_rows * sum(weight.numel() for weight in arguments[1:3]))


def _transformer_layer(arguments: Sequence[Any], _: Any) -> int:
    """Of the fast paths of torch's transformer layers: every matrix once for each token, and attention."""
    rows, tokens, width = arguments[0].shape
    given = [one for one in arguments[3:] if isinstance(one, torch.Tensor) and one.is_floating_point()]
    matrices = sum(one.numel() for one in given if one.dim() == _MATRIX)
    return int(rows * tokens * (2 * matrices + 4 * tokens * width))


_MATRIX = 2
_FORMULAS: Mapping[str, Formula] = {
    **dict.fromkeys(("mv", "addmv", "dot", "vdot"), _with_vector),
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "mkldnn_rnn_layer": _recurrent_layer,
    "_transformer_encoder_layer_fwd": _transformer_layer,
    "_native_multi_head_attention": _transformer_layer,
}

GATHERS = frozenset({"embedding", "embedding_bag", "_embedding_bag", "index_select", "index", "gather", "_index"})
"""Operators that read only rows of their table."""

PASSES = frozenset({"_unsafe_view", "_to_copy", "lift_fresh_copy", "_reshape_alias", "_conj_physical"})
"""Operators that compute nothing: on a core they are another way to read, or ride on a copy that is made anyway."""

_VECTOR = frozenset({
    *GATHERS,
    # reductions and what is normalised by them
    "sum", "mean", "amax", "amin", "max", "min", "argmax", "argmin", "var", "var_mean", "std", "std_mean", "prod",
    "any", "all", "norm", "linalg_vector_norm", "logsumexp", "cumsum", "cumprod", "topk", "count_nonzero", "cummax",
    "_softmax", "_safe_softmax", "_log_softmax", "native_layer_norm", "native_batch_norm", "native_group_norm",
    "_fused_rms_norm",
    "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "batch_norm_no_update", "native_dropout",
    # pooling and resizing
    "max_pool2d_with_indices", "max_pool3d_with_indices", "mkldnn_max_pool2d", "avg_pool2d", "avg_pool3d",
    "_adaptive_avg_pool2d", "mkldnn_adaptive_avg_pool2d", "adaptive_max_pool2d", "upsample_nearest1d",
    "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_linear1d", "_upsample_nearest_exact2d",
    # moving
    "cat", "stack", "copy", "clone", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "roll", "flip",
    "repeat",
    "scatter", "scatter_add", "index_put", "index_add", "index_copy", "slice_scatter", "select_scatter", "tril", "triu",
    "masked_fill", "where", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full",
    "new_empty", "fill", "zero", "pixel_shuffle", "pixel_unshuffle", "im2col", "col2im", "repeat_interleave",
    "diag_embed",
    "_prelu_kernel", "rrelu_with_noise", "glu", "rand_like", "randn_like", "bernoulli", "one_hot", "unfold_copy",
})  # fmt: skip
"""Operators without the tag of those that go element by element, of which the number of elements is the work."""
