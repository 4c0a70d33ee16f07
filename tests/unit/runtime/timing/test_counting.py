"""What is counted of small programs, with the numbers written out."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from neuronspan_runtime.timing import costs, counting

untyped: Any = torch
"""torch, where it has no types of its own."""


def cost_of(module: Any, *inputs: torch.Tensor, real: bool = False) -> costs.Cost:
    """Count a module's call."""
    module.eval()
    return counting.count(module, inputs, [*module.parameters(), *module.buffers()], real=real).cost


def flops(module: nn.Module, *inputs: torch.Tensor) -> int:
    return cost_of(module, *inputs).flops


ROWS, GIVEN, MADE = 4, 6, 8


def test_linear_layer_multiplies_and_adds_for_each_row_and_reads_its_weights_once() -> None:
    assert cost_of(nn.Linear(GIVEN, MADE), torch.zeros(ROWS, GIVEN)) == costs.Cost(
        matrix_flops=(("float32", 2 * ROWS * GIVEN * MADE),),
        weight_bytes=(("float32", 4 * (GIVEN * MADE + MADE)),),
        moved_bytes=4 * (ROWS * GIVEN + ROWS * MADE),
    )


class Squared(nn.Module):
    """A matrix that is used twice, and once as its own view."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, 6, dtype=torch.bfloat16))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ self.weight @ self.weight.t()


def test_weight_that_is_used_twice_is_read_once() -> None:
    found = cost_of(Squared(), torch.zeros(2, 6, dtype=torch.bfloat16))
    assert found.weight_bytes == (("bfloat16", 72),)
    assert found.matrix_flops == (("bfloat16", 2 * 2 * 2 * 36),)


def test_table_of_words_is_read_by_its_rows() -> None:
    found = cost_of(nn.Embedding(1000, 8), torch.zeros(2, 3, dtype=torch.long))
    assert found.weight_bytes == ()
    assert found.moved_bytes == 8 * 6 + 4 * 48 + 4 * 48


class Cast(nn.Module):
    """A weight that is rounded before it is used, as numerics of the device do."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, 6))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ self.weight.to(torch.bfloat16).to(torch.float32)


def test_cast_is_no_work_and_its_weight_is_read_as_it_is_kept() -> None:
    found = cost_of(Cast(), torch.zeros(2, 6))
    assert found.vector_operations == 0
    assert found.weight_bytes == (("float32", 144),)


class Attention(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return nn.functional.scaled_dot_product_attention(values, values, values)


class Joined(nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bij,bjk->bik", left, right)


class Vectors(nn.Module):
    def forward(self, matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        return torch.mv(matrix, vector)


@pytest.mark.parametrize(
    ("module", "inputs", "expected"),
    [
        pytest.param(nn.Conv2d(3, 4, 3), [torch.zeros(2, 3, 8, 8)], 2 * 2 * 4 * 36 * 27, id="convolution"),
        pytest.param(nn.ConvTranspose1d(3, 4, 2), [torch.zeros(1, 3, 5)], 2 * 5 * 3 * 4 * 2, id="transposed"),
        pytest.param(Attention(), [torch.zeros(2, 3, 5, 4)], 2 * 2 * 6 * 25 * 4, id="attention"),
        pytest.param(Joined(), [torch.zeros(2, 3, 4), torch.zeros(2, 4, 5)], 2 * 2 * 60, id="einsum"),
        pytest.param(Vectors(), [torch.zeros(3, 4), torch.zeros(4)], 24, id="matrix and vector"),
        pytest.param(nn.LSTM(5, 7, batch_first=True), [torch.zeros(2, 3, 5)], 2 * 6 * 28 * 12, id="LSTM"),
        pytest.param(nn.GRU(5, 7, 2), [torch.zeros(3, 2, 5)], 2 * 6 * 21 * (12 + 14), id="GRU of two layers"),
        pytest.param(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [torch.zeros(2, 3, 8)],
                     2 * 6 * 512 + 2 * 4 * 9 * 8, id="transformer layer, torch's fast path"),
        pytest.param(nn.ReLU(), [torch.zeros(2, 3)], 0, id="element by element"),
    ],
)  # fmt: skip
def test_matrix_operations(module: nn.Module, inputs: list[torch.Tensor], expected: int) -> None:
    assert flops(module, *inputs) == expected


@pytest.mark.parametrize(
    "module",
    [
        nn.ReLU(),
        nn.LayerNorm(6),
        nn.Softmax(-1),
        nn.BatchNorm1d(6),
        nn.Flatten(0),
        nn.GELU(),
        nn.AvgPool1d(2),
        nn.PReLU(),
    ],
)
def test_usual_operators_are_known(module: nn.Module) -> None:
    assert cost_of(module, torch.zeros(2, 6, 6)).unknown == frozenset()


class Sorted(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.sort(values).values


def test_unknown_operator_is_listed_and_counts_by_its_bytes() -> None:
    found = cost_of(Sorted(), torch.zeros(10))
    assert found.unknown == {"aten::sort"}
    assert found.moved_bytes == 40 + (40 + 40 + 80) + 40


def test_result_that_is_larger_than_the_chip_goes_through_memory() -> None:
    found = cost_of(nn.Linear(1, 7 * 2**20, bias=False), torch.zeros(1, 1))
    assert found.moved_bytes == 4 + 3 * 28 * 2**20


class Grown(nn.Module):
    """Needs a number that only a run with values has."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.repeat(int(values.sum().item()) + 2, 1) @ torch.ones(3, 3)


def test_program_that_needs_values_is_counted_with_zeros() -> None:
    values = torch.zeros(1, 3)
    with pytest.raises(RuntimeError):
        counting.count(Grown(), [values], [])
    assert cost_of(Grown(), values, real=True).flops == 2 * 2 * 9


FORMS: dict[str, Callable[[nn.Module, torch.Tensor], Any]] = {
    "module": lambda model, _: model,
    "recorded": untyped.jit.trace,
    "scripted": lambda model, _: untyped.jit.script(model),
    "exported": lambda model, example: torch.export.export(model, (example,)).module(),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_model_costs_the_same(form: str) -> None:
    model, example = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval(), torch.zeros(4, 6)
    found = FORMS[form](model, example)
    cost = counting.count(found, [example], [*found.parameters(), *found.buffers()]).cost
    assert cost == counting.count(model, [example], [*model.parameters()]).cost
    assert cost.flops == 2 * 4 * (48 + 24)


def test_counting_leaves_random_numbers_and_inputs_alone() -> None:
    values, model = torch.ones(2, 6), nn.Sequential(nn.Dropout(), nn.Linear(6, 6)).train()
    before = torch.get_rng_state()
    counting.count(model, [values], [*model.parameters()], real=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(values, torch.ones(2, 6))
