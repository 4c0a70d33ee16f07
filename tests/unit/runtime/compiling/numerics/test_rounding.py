"""Casts in a recorded graph equal the casts that a user would write, and touch nothing else."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.numerics import casts, rounding

UNOPTIMIZED: Any = torch.jit.optimized_execution  # type: ignore[attr-defined]
"""As the device runs graphs: torch's own optimiser splits addmm."""
BF16 = casts.Casts(casts.Scope.MATMULT)
ALL = casts.Casts(casts.Scope.ALL)
FIRST = torch.linspace(-1.7, 2.3, 64).reshape(8, 8)
SECOND = torch.linspace(0.1, 3.1, 64).reshape(8, 8).sin()


class Written(torch.nn.Module):
    """A model that is one function of two tensors."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return self.function(first, second)


class FirstOnly(torch.nn.Module):
    """A module of one tensor that is given two."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> Any:
        return self.module(first) + second.sum() * 0


def run(function: Callable[..., Any], chosen: casts.Casts | None, *inputs: torch.Tensor) -> Any:
    """What the recorded function computes with these casts."""
    given = inputs or (FIRST, SECOND)
    with rounding.recordable(chosen):
        recorded = torchscript.recorded(Written(function), given)
    with torch.no_grad(), UNOPTIMIZED(should_optimize=False):
        return rounding.cast(recorded, chosen)(*given)


def low(values: torch.Tensor, kind: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return values.to(kind).float()


@pytest.mark.parametrize(
    ("function", "by_hand"),
    [
        pytest.param(lambda a, b: a @ b + 0.001, lambda a, b: low(a) @ low(b) + 0.001, id="matmul"),
        pytest.param(torch.mm, lambda a, b: low(a) @ low(b), id="mm"),
        pytest.param(lambda a, b: torch.addmm(a, a, b), lambda a, b: torch.addmm(a, low(a), low(b)), id="addmm"),
        pytest.param(lambda a, b: torch.bmm(a[None], b[None]), lambda a, b: torch.bmm(low(a)[None], low(b)[None]),
                     id="bmm"),
        pytest.param(lambda a, b: torch.einsum("ij,kj->ik", a, b),
                     lambda a, b: torch.einsum("ij,kj->ik", low(a), low(b)), id="einsum"),
        pytest.param(lambda a, b: torch.nn.functional.linear(a, b, a[0]),
                     lambda a, b: torch.nn.functional.linear(low(a), low(b), a[0]), id="linear"),
        pytest.param(lambda a, b: torch.conv1d(a[None], b[:, :, None]),
                     lambda a, b: torch.conv1d(low(a)[None], low(b)[:, :, None]), id="conv1d"),
        pytest.param(lambda a, b: torch.conv_transpose2d(a[None, :, :, None], b[:, :, None, None]),
                     lambda a, b: torch.conv_transpose2d(low(a)[None, :, :, None], low(b)[:, :, None, None]),
                     id="transposed convolution"),
        pytest.param(lambda a, b: torch.nn.functional.scaled_dot_product_attention(a[None], b[None], a[None]),
                     lambda a, b: torch.nn.functional.scaled_dot_product_attention(
                         low(a)[None], low(b)[None], low(a)[None]), id="attention"),
        pytest.param(lambda a, b: torch.zeros_like(a).addmm_(a, b), lambda a, b: low(a) @ low(b), id="in place"),
    ],
)  # fmt: skip
def test_factors_of_the_matrix_engine_are_cast_and_nothing_else(
    function: Callable[..., Any], by_hand: Callable[..., Any]
) -> None:
    found = run(function, BF16)
    assert torch.equal(found, by_hand(FIRST, SECOND))
    assert not torch.equal(found, function(FIRST, SECOND))
    assert torch.equal(run(function, None), function(FIRST, SECOND))


def test_operations_beside_the_matrix_engine_are_cast_by_all_only() -> None:
    def function(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return (first * second).exp()

    assert torch.equal(run(function, BF16), function(FIRST, SECOND))
    assert torch.equal(run(function, ALL), low(low(FIRST) * low(SECOND)).exp())


def test_all_casts_the_tensors_of_a_list_too() -> None:
    found = run(lambda a, b: torch.cat([a, b]), ALL)
    assert torch.equal(found, torch.cat([low(FIRST), low(SECOND)]))


def test_all_leaves_what_is_written_and_views() -> None:
    def function(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        made = torch.zeros(8, 8)
        made[1].add_(second[0])
        made.view(64)[3:5].copy_(first[0, :2])
        return made

    expected = torch.zeros(8, 8)
    expected[1] = low(SECOND[0])
    expected[0, 3:5] = low(FIRST[0, :2])
    assert torch.equal(run(function, ALL), expected)


def test_all_leaves_views_that_are_not_declared_as_such() -> None:
    def function(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        made = torch.zeros(8, 8)
        part = made.unsafe_chunk(2)[0].add_(second[:4])
        return made[:4] - first[:4] + part

    part = low(SECOND[:4])
    assert torch.equal(run(function, ALL), low(low(part) - low(FIRST[:4])) + low(part))


def test_running_statistics_of_a_batch_are_written_where_they_are() -> None:
    def function(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        mean, variance = torch.zeros(8), torch.ones(8)
        torch.batch_norm(first, None, None, mean, variance, True, 1.0, 1e-5, False)
        return mean + second[0] * 0

    assert torch.allclose(run(function, ALL), low(FIRST).mean(0), rtol=2**-7)
    assert run(function, ALL).abs().sum() > 0


@pytest.mark.parametrize("chosen", [BF16, ALL])
def test_other_types_are_left_alone(chosen: casts.Casts) -> None:
    whole = torch.arange(16).reshape(4, 4) + 2**40
    small = torch.rand(4, 4).to(torch.float16)
    double = torch.rand(4, 4, dtype=torch.float64)
    for values in (whole, small, double):
        assert torch.equal(run(lambda a, b: a @ b + a, chosen, values, values), values @ values + values)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_integers_whose_type_is_not_known_are_left_alone() -> None:
    @torch.jit.script
    def product(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return torch.mm(first + 1, second + 1)

    whole = torch.arange(16).reshape(4, 4) + 2**20
    for chosen in (BF16, ALL):
        assert torch.equal(run(product, chosen, whole, whole), (whole + 1) @ (whole + 1))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_branches_of_scripted_parts_are_cast() -> None:
    @torch.jit.script
    def branch(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if first.sum() > 0:
            return torch.mm(first, second)
        return torch.mm(second, first)

    for inputs in ((FIRST, SECOND), (-FIRST.abs(), SECOND)):
        assert torch.equal(run(branch, BF16, *inputs), branch(low(inputs[0]), low(inputs[1])))


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (casts.Type.BF16, [1 + 2**-9, 1 + 2**-7, 3e38], [1.0, 1 + 2**-7, float(torch.tensor(3e38).bfloat16())]),
        (casts.Type.FP16, [1 + 2**-12, 1 + 2**-10, 1e5], [1.0, 1 + 2**-10, math.inf]),
        (casts.Type.TF32, [1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-10, -(2.0**127), 0.0, math.inf],
         [1.0, 1 + 2**-9, 1 + 2**-10, -(2.0**127), 0.0, math.inf]),
        (casts.Type.FP8_E4M3, [1.0625, 1.125, 448.0], [1.0, 1.125, 448.0]),
    ],
)  # fmt: skip
def test_numbers_are_rounded_to_the_nearest_of_the_type(
    kind: casts.Type, given: list[float], expected: list[float]
) -> None:
    found = run(torch.mul, casts.Casts(casts.Scope.ALL, kind),
                torch.tensor(given), torch.ones(len(given)))  # fmt: skip
    assert found.tolist() == expected


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_layer_with_a_fused_operator_is_cast_inside() -> None:
    torch.manual_seed(0)
    layer = FirstOnly(torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval())
    with torch.no_grad():
        exact, found = layer(FIRST[None], SECOND), run(layer, BF16, FIRST[None], SECOND)
    assert not torch.equal(found, exact)
    assert torch.allclose(found, exact, atol=0.05)
    assert torch.backends.mha.get_fastpath_enabled()
