"""Casts of random matrix products: what explicit casts give, and as near to float32 as their roundings explain."""

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.numerics import casts, rounding

UNOPTIMIZED: Any = torch.jit.optimized_execution  # type: ignore[attr-defined]
"""As the device runs graphs: torch's own optimiser rewrites some products."""
UNITS = {casts.Type.BF16: 2.0**-8, casts.Type.FP16: 2.0**-11, casts.Type.TF32: 2.0**-11, casts.Type.FP8_E4M3: 2.0**-4}
"""Largest relative error of one rounding to the nearest."""
TYPES = {
    casts.Type.BF16: torch.bfloat16,
    casts.Type.FP16: torch.float16,
    casts.Type.FP8_E4M3: torch.float8_e4m3fn,
}
sizes = st.integers(1, 12)


class Product(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.matmul(first, second)


@given(sizes, sizes, sizes, st.integers(0, 3), st.sampled_from(casts.Type), st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_product_of_any_shape_is_that_of_rounded_factors(
    rows: int, inner: int, columns: int, batches: int, kind: casts.Type, seed: int
) -> None:
    numbers = torch.Generator().manual_seed(seed)
    # from 1 to 2 with a sign: nothing is too small for a type, so that every error is a relative one
    shape = (batches, rows, inner) if batches else (rows, inner)
    first, second = (
        (1 + torch.rand(size, generator=numbers)) * (2 * torch.randint(0, 2, size, generator=numbers) - 1)
        for size in (shape, (inner, columns))
    )
    recorded = torchscript.recorded(Product(), (first, second))
    with torch.no_grad(), UNOPTIMIZED(should_optimize=False):
        found = rounding.cast(recorded, casts.Casts(casts.Scope.MATMULT, kind))(first, second)
    if kind in TYPES:
        assert torch.equal(found, first.to(TYPES[kind]).float() @ second.to(TYPES[kind]).float())
    exact = first.double() @ second.double()
    bound = (first.abs().double() @ second.abs().double()) * ((1 + UNITS[kind]) ** 2 - 1 + inner * 2.0**-23)
    assert found.dtype == torch.float32
    assert ((found.double() - exact).abs() <= bound).all()
