"""Costs of random stacks of layers: never negative, never less for more rows, and the parts' sum is the whole."""

import itertools

import hypothesis
import hypothesis.strategies as st
import torch
from torch import nn

from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.timing import costs, counting, prediction

WIDTHS = st.lists(st.integers(1, 12), min_size=2, max_size=6)
AMOUNTS = st.lists(st.tuples(st.sampled_from(["float32", "bfloat16", "int8"]), st.integers(0, 10**15)), max_size=3)
COSTS = st.builds(
    lambda flops, vector, weights, moved: costs.Cost(costs.amounts(flops), vector, costs.amounts(weights), moved),
    AMOUNTS,
    st.integers(0, 10**12),
    AMOUNTS,
    st.integers(0, 10**12),
)
CASTS = st.none() | st.builds(casts.Casts, st.sampled_from(casts.Scope), st.sampled_from(casts.Type))
CORES = st.sampled_from(sorted(rates.GENERATIONS)).map(lambda name: rates.GENERATIONS[name])


def stack(widths: list[int]) -> list[nn.Module]:
    """Layers from each width to the next, with an activation behind each."""
    return [nn.Sequential(nn.Linear(one, two), nn.ReLU()) for one, two in itertools.pairwise(widths)]


def counted(parts: list[nn.Module], rows: int, width: int) -> costs.Cost:
    whole = nn.Sequential(*parts).eval()
    return counting.count(whole, [torch.zeros(rows, width)], list(whole.parameters())).cost


@hypothesis.given(widths=WIDTHS, rows=st.integers(1, 9), place=st.integers(1, 5))
def test_work_of_parts_adds_up_to_that_of_the_whole(widths: list[int], rows: int, place: int) -> None:
    layers = stack(widths)
    cut = min(place, len(layers))
    whole, first = counted(layers, rows, widths[0]), counted(layers[:cut], rows, widths[0])
    both = first + counted(layers[cut:], rows, widths[cut]) if cut < len(layers) else first
    assert (both.matrix_flops, both.vector_operations) == (whole.matrix_flops, whole.vector_operations)
    assert both.weight_bytes == whole.weight_bytes
    handed_on = 2 * 4 * rows * widths[cut] if cut < len(layers) else 0  # written by one part, read by the other
    assert both.moved_bytes == whole.moved_bytes + handed_on


@hypothesis.given(widths=WIDTHS, rows=st.integers(1, 9), more=st.integers(1, 9))
def test_more_rows_never_cost_less(widths: list[int], rows: int, more: int) -> None:
    few, many = (counted(stack(widths), count, widths[0]) for count in (rows, rows + more))
    assert 0 <= few.flops <= many.flops
    assert 0 <= few.vector_operations <= many.vector_operations
    assert 0 <= few.moved_bytes < many.moved_bytes
    assert few.weight_bytes == many.weight_bytes


@hypothesis.given(one=COSTS, other=COSTS, core=CORES, chosen=CASTS)
def test_more_work_never_takes_less_time_and_together_no_more_than_apart(
    one: costs.Cost, other: costs.Cost, core: rates.CoreRates, chosen: casts.Casts | None
) -> None:
    apart = [prediction.nanoseconds(each, core, chosen) for each in (one, other)]
    together = prediction.nanoseconds(one + other, core, chosen)
    assert rates.OVERHEAD_NANOSECONDS <= max(apart) <= together + 1
    assert together <= sum(apart) + 1


@hypothesis.given(cost=COSTS, core=CORES, chosen=CASTS, cores=st.integers(1, 8))
def test_several_cores_take_no_longer_than_one(
    cost: costs.Cost, core: rates.CoreRates, chosen: casts.Casts | None, cores: int
) -> None:
    assert prediction.nanoseconds(cost, core.times(cores), chosen) <= prediction.nanoseconds(cost, core, chosen)


@hypothesis.given(first=COSTS, second=COSTS, third=COSTS)
def test_costs_are_added_in_any_order(first: costs.Cost, second: costs.Cost, third: costs.Cost) -> None:
    assert first + second == second + first
    assert (first + second) + third == first + (second + third)
    assert first + costs.Cost() == first
