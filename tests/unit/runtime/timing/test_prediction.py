"""Nanoseconds of a cost, with the numbers written out."""

import pytest

from neuronspan import instance_types
from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.timing import costs, prediction

MATMULT = casts.Casts(casts.Scope.MATMULT)
ALL = casts.Casts(casts.Scope.ALL)
CORE = rates.CoreRates({"bfloat16": 1e12, "float8_e4m3fn": 2e12, "float32": 0.25e12}, 1e9, 1e10)
"""A core of round numbers."""
MATRIX = costs.Cost(matrix_flops=(("float32", 10**9),))


def work(cost: costs.Cost, chosen: casts.Casts | None = MATMULT) -> int:
    """Nanoseconds besides the overhead."""
    return prediction.nanoseconds(cost, CORE, chosen) - rates.OVERHEAD_NANOSECONDS


def test_nothing_to_do_takes_the_overhead() -> None:
    assert prediction.nanoseconds(costs.Cost(), CORE, None) == rates.OVERHEAD_NANOSECONDS
    assert prediction.decided_by(costs.Cost(), CORE, None) == "overhead"


@pytest.mark.parametrize(
    ("chosen", "peak"),
    [
        (MATMULT, 1e12),
        (None, 0.25e12),
        (casts.Casts(casts.Scope.MATMULT, casts.Type.FP8_E4M3), 2e12),
        (casts.Casts(casts.Scope.MATMULT, casts.Type.TF32), 1e12),
        (casts.Casts(casts.Scope.MATMULT, casts.Type.FP16), 1e12),
    ],
)
def test_float32_is_multiplied_at_the_speed_of_what_it_is_cast_to(chosen: casts.Casts | None, peak: float) -> None:
    assert work(MATRIX, chosen) == pytest.approx(1e9 / (rates.MATRIX_SHARE * peak) * 1e9, abs=1)


@pytest.mark.parametrize(
    ("kind", "like"), [("bfloat16", 1e12), ("float16", 1e12), ("float64", 0.25e12), ("int8", 1e12)]
)
def test_other_types_are_not_cast(kind: str, like: float) -> None:
    expected = 1e9 / (rates.MATRIX_SHARE * like) * 1e9
    assert work(costs.Cost(matrix_flops=((kind, 10**9),))) == pytest.approx(expected, abs=1)


def test_the_slowest_part_decides() -> None:
    memory = costs.Cost(weight_bytes=(("float32", 10**8),), moved_bytes=10**8)
    vectors = costs.Cost(vector_operations=10**8)
    assert (work(memory), work(vectors)) == (20_000_000, 100_000_000)
    assert work(memory + vectors + MATRIX) == 100_000_000
    assert prediction.decided_by(memory + MATRIX, CORE, MATMULT) == "memory"
    assert prediction.decided_by(memory + vectors, CORE, MATMULT) == "vector engine"
    assert prediction.decided_by(MATRIX, CORE, MATMULT) == "matrix engine"


@pytest.mark.parametrize(
    ("chosen", "size"),
    [(None, 400), (MATMULT, 400), (ALL, 200), (casts.Casts(casts.Scope.ALL, casts.Type.FP8_E4M3), 100)],
)
def test_weights_are_smaller_when_everything_is_cast(chosen: casts.Casts | None, size: int) -> None:
    weights = costs.Cost(weight_bytes=(("bfloat16", 30), ("float32", 400)), moved_bytes=7)
    assert prediction.memory_bytes(weights, chosen) == size + 30 + 7


def test_joined_cores_are_as_fast_as_both() -> None:
    joined, single = (rates.of(instance_types.hardware_of("trn2.48xlarge", size)) for size in (2, 1))
    assert joined.memory_bytes == 2 * single.memory_bytes
    assert joined.matrix_flops["bfloat16"] == 2 * single.matrix_flops["bfloat16"] == 2 * 79e12


@pytest.mark.parametrize("instance", sorted(instance_types.INSTANCE_TYPES))
def test_every_instance_type_has_rates(instance: str) -> None:
    core = rates.of(instance_types.hardware_of(instance))
    assert min(core.vector_operations, core.memory_bytes, *core.matrix_flops.values()) > 0


def test_hardware_of_an_unknown_type_has_the_newest_cores() -> None:
    known = instance_types.hardware_of("trn1.2xlarge")
    unknown = instance_types.Hardware("trn9.huge", 1, 2, 1, known.hbm_bytes_per_core, known.topology)
    assert rates.of(unknown).memory_bytes == rates.GENERATIONS[rates.NEWEST].memory_bytes
