"""A call of every operator that PyTorch's manual of automatic mixed precision lists for CUDA."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

untyped: Any = torch
"""torch, where it has no types of its own."""


@dataclasses.dataclass(frozen=True)
class Given:
    """Fresh tensors of one type on one device, of numbers that arccosine, logarithm and inverse error function take."""

    dtype: torch.dtype
    device: str

    def of(self, *shape: int) -> torch.Tensor:
        """A tensor of this shape, of numbers from 0.2 to 0.8."""
        return (torch.rand(shape) * 0.6 + 0.2).to(self.device, self.dtype)

    @property
    def vector(self) -> torch.Tensor:
        """Eight numbers."""
        return self.of(8)

    @property
    def matrix(self) -> torch.Tensor:
        """Eight times eight."""
        return self.of(8, 8)

    @property
    def batch(self) -> torch.Tensor:
        """Eight matrices."""
        return self.of(8, 8, 8)

    def classes(self, *shape: int) -> torch.Tensor:
        """Labels: the class 1 for each."""
        return torch.ones(shape, dtype=torch.long, device=self.device)

    def like(self, module: nn.Module) -> Any:
        """A module with weights of this type."""
        return module.to(self.device, self.dtype)


def _on_torchs_lists(name: str) -> bool:
    """Whether this torch casts the operator on CUDA: later lists are longer."""
    return bool(untyped._C._dispatch_has_kernel_for_dispatch_key(f"aten::{name}", "AutocastCUDA"))


Call = Callable[[Given], Any]

LOWER_PRECISION: Mapping[str, Call] = {
    "__matmul__": lambda g: g.matrix @ g.matrix,
    "addbmm": lambda g: torch.addbmm(g.matrix, g.batch, g.batch),
    "addmm": lambda g: torch.addmm(g.matrix, g.matrix, g.matrix),
    "addmv": lambda g: torch.addmv(g.vector, g.matrix, g.vector),
    "addr": lambda g: torch.addr(g.matrix, g.vector, g.vector),
    "baddbmm": lambda g: torch.baddbmm(g.batch, g.batch, g.batch),
    "bmm": lambda g: torch.bmm(g.batch, g.batch),
    "chain_matmul": lambda g: untyped.chain_matmul(g.matrix, g.matrix, g.matrix),
    "multi_dot": lambda g: torch.linalg.multi_dot([g.matrix, g.matrix, g.matrix]),
    "conv1d": lambda g: functional.conv1d(g.of(1, 2, 8), g.of(3, 2, 3)),
    "conv2d": lambda g: functional.conv2d(g.of(1, 2, 8, 8), g.of(3, 2, 3, 3)),
    "conv3d": lambda g: functional.conv3d(g.of(1, 2, 4, 4, 4), g.of(3, 2, 3, 3, 3)),
    "conv_transpose1d": lambda g: functional.conv_transpose1d(g.of(1, 2, 8), g.of(2, 3, 3)),
    "conv_transpose2d": lambda g: functional.conv_transpose2d(g.of(1, 2, 8, 8), g.of(2, 3, 3, 3)),
    "conv_transpose3d": lambda g: functional.conv_transpose3d(g.of(1, 2, 4, 4, 4), g.of(2, 3, 3, 3, 3)),
    "GRUCell": lambda g: g.like(nn.GRUCell(8, 8))(g.matrix, g.matrix),
    "linear": lambda g: functional.linear(g.matrix, g.matrix, g.vector),
    "LSTMCell": lambda g: g.like(nn.LSTMCell(8, 8))(g.matrix, (g.matrix, g.matrix))[1],
    "matmul": lambda g: torch.matmul(g.batch, g.matrix),
    "mm": lambda g: torch.mm(g.matrix, g.matrix),
    "mv": lambda g: torch.mv(g.matrix, g.vector),
    "prelu": lambda g: torch.prelu(g.matrix, g.of(1)),
    "RNNCell": lambda g: g.like(nn.RNNCell(8, 8))(g.matrix, g.matrix),
    # not in the manual, but in torch's own lists
    "einsum": lambda g: torch.einsum("bij,bjk->bik", g.batch, g.batch),
    "scaled_dot_product_attention": lambda g: functional.scaled_dot_product_attention(g.batch, g.batch, g.batch),
    "vecdot": lambda g: torch.linalg.vecdot(g.matrix, g.matrix),
}
"""What can compute in the lower precision: of float32 it makes that."""

FLOAT32: Mapping[str, Call] = {
    "__pow__": lambda g: g.vector**1.5,
    "__rdiv__": lambda g: 1.0 / g.vector,
    "__rpow__": lambda g: 2.0**g.vector,
    "__rtruediv__": lambda g: g.vector.__rtruediv__(1.0),
    "acos": lambda g: torch.acos(g.vector),
    "asin": lambda g: torch.asin(g.vector),
    "binary_cross_entropy_with_logits": lambda g: functional.binary_cross_entropy_with_logits(g.matrix, g.matrix),
    "cosh": lambda g: torch.cosh(g.vector),
    "cosine_embedding_loss": lambda g: functional.cosine_embedding_loss(g.matrix, g.matrix, g.classes(8)),
    "cdist": lambda g: torch.cdist(g.matrix, g.matrix),
    "cosine_similarity": lambda g: functional.cosine_similarity(g.matrix, g.matrix),
    "cross_entropy": lambda g: functional.cross_entropy(g.matrix, g.classes(8)),
    "cumprod": lambda g: torch.cumprod(g.vector, 0),
    "cumsum": lambda g: torch.cumsum(g.vector, 0),
    "dist": lambda g: torch.dist(g.vector, g.vector),
    "erfinv": lambda g: torch.erfinv(g.vector),
    "exp": lambda g: torch.exp(g.vector),
    "expm1": lambda g: torch.expm1(g.vector),
    "group_norm": lambda g: functional.group_norm(g.matrix, 2),
    "hinge_embedding_loss": lambda g: functional.hinge_embedding_loss(g.matrix, g.classes(8, 8)),
    "kl_div": lambda g: functional.kl_div(g.matrix, g.matrix, reduction="batchmean"),
    "l1_loss": lambda g: functional.l1_loss(g.matrix, g.matrix),
    "layer_norm": lambda g: functional.layer_norm(g.matrix, (8,), g.vector, g.vector),
    "log": lambda g: torch.log(g.vector),
    "log10": lambda g: torch.log10(g.vector),
    "log_softmax": lambda g: functional.log_softmax(g.matrix, 1),
    "log1p": lambda g: torch.log1p(g.vector),
    "log2": lambda g: torch.log2(g.vector),
    "margin_ranking_loss": lambda g: functional.margin_ranking_loss(g.vector, g.vector, g.vector),
    "mse_loss": lambda g: functional.mse_loss(g.matrix, g.matrix),
    "multilabel_margin_loss": lambda g: functional.multilabel_margin_loss(g.matrix, g.classes(8, 8)),
    "multi_margin_loss": lambda g: functional.multi_margin_loss(g.matrix, g.classes(8)),
    "nll_loss": lambda g: functional.nll_loss(g.matrix, g.classes(8)),
    "norm": lambda g: torch.norm(g.matrix, p=2, dim=1),
    "normalize": lambda g: functional.normalize(g.matrix),
    "pdist": lambda g: functional.pdist(g.matrix),
    "poisson_nll_loss": lambda g: functional.poisson_nll_loss(g.matrix, g.matrix),
    "pow": lambda g: torch.pow(g.vector, g.vector),
    "prod": lambda g: torch.prod(g.vector),
    "reciprocal": lambda g: torch.reciprocal(g.vector),
    "rsqrt": lambda g: torch.rsqrt(g.vector),
    "sinh": lambda g: torch.sinh(g.vector),
    "smooth_l1_loss": lambda g: functional.smooth_l1_loss(g.matrix, g.matrix),
    "soft_margin_loss": lambda g: functional.soft_margin_loss(g.matrix, g.matrix),
    "softmax": lambda g: functional.softmax(g.matrix, 1),
    "softmin": lambda g: functional.softmin(g.matrix, 1),
    "softplus": lambda g: functional.softplus(g.vector),
    "sum": lambda g: torch.sum(g.matrix, 1),
    "renorm": lambda g: torch.renorm(g.matrix, 2, 0, 1.0),
    "tan": lambda g: torch.tan(g.vector),
    "triplet_margin_loss": lambda g: functional.triplet_margin_loss(g.matrix, g.matrix, g.matrix),
    # not in the manual, but in torch's own lists
    "frobenius_norm": lambda g: untyped.frobenius_norm(g.matrix, dim=[1]),
    "huber_loss": lambda g: functional.huber_loss(g.matrix, g.matrix),
    "interpolate": lambda g: functional.interpolate(g.of(1, 2, 4, 4), scale_factor=2, mode="bilinear"),
    "logsumexp": lambda g: torch.logsumexp(g.matrix, 1),
    "matrix_norm": lambda g: torch.linalg.matrix_norm(g.matrix),
    "norm of all": lambda g: g.matrix.norm(),
    "vector_norm": lambda g: torch.linalg.vector_norm(g.matrix),
} | ({"rms_norm": lambda g: functional.rms_norm(g.matrix, (8,), g.vector)} if _on_torchs_lists("rms_norm") else {})
"""What is to compute in float32: of the lower precision it makes that."""

PairCall = Callable[[Given, Given], Any]

WIDEST: Mapping[str, PairCall] = {
    "addcdiv": lambda g, h: torch.addcdiv(g.vector, h.vector, g.vector),
    "addcmul": lambda g, h: torch.addcmul(g.vector, h.vector, g.vector),
    "atan2": lambda g, h: torch.atan2(g.vector, h.vector),
    "bilinear": lambda g, h: functional.bilinear(g.matrix, h.matrix, g.batch, h.vector),
    "cross": lambda g, h: torch.cross(g.of(3), h.of(3), dim=0),
    "dot": lambda g, h: torch.dot(g.vector, h.vector),
    "grid_sample": lambda g, h: functional.grid_sample(g.of(1, 2, 4, 4), h.of(1, 3, 3, 2), align_corners=False),
    "index_put": lambda g, h: torch.index_put(g.vector, (g.classes(1),), h.of(1)),
    "scatter_add": lambda g, h: torch.scatter_add(g.vector, 0, g.classes(8), h.vector),
    "tensordot": lambda g, h: torch.tensordot(g.matrix, h.matrix, dims=1),
    # not in the manual, but in torch's own lists
    "vdot": lambda g, h: torch.vdot(g.vector, h.vector),
}
"""What computes in the widest type that it is given."""
