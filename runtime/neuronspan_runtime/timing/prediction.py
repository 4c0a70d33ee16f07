"""How long an execution takes: a roofline over the engines and the memory of a core, and an overhead.

The matrix engine, the vector engine and the memory work at the same time, so the slowest of them decides. Weights are
read from HBM in each execution, as another program may have had the core meanwhile; what else a program computes stays
on the chip unless it is larger than that.

Law: pure; a cost, rates and casts in, nanoseconds out; more work never takes less time.
"""

from collections.abc import Mapping

from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.timing import costs

_NANOSECONDS = 1e9
_TORCH_NAMES: Mapping[casts.Type, str] = {
    casts.Type.BF16: "bfloat16",
    casts.Type.FP16: "bfloat16",
    casts.Type.TF32: "bfloat16",
    casts.Type.FP8_E4M3: "float8_e4m3fn",
}
"""The type at whose speed factors of a type are multiplied: FP16 and TF32 have BF16's rate on every generation."""
_BYTES: Mapping[casts.Type, int] = {
    casts.Type.BF16: 2,
    casts.Type.FP16: 2,
    casts.Type.TF32: 4,
    casts.Type.FP8_E4M3: 1,
}
_FLOAT32, _FLOAT32_BYTES = "float32", 4
_SLOW = frozenset({"float64", "complex64", "complex128"})
"""Types that no matrix engine has; they count as float32."""


def nanoseconds(cost: costs.Cost, core: rates.CoreRates, chosen: casts.Casts | None) -> int:
    """Return what one execution takes on a core, or on several whose rates were added."""
    slowest = max(_seconds(cost, core, chosen).values())
    return rates.OVERHEAD_NANOSECONDS + round(slowest * _NANOSECONDS)


def decided_by(cost: costs.Cost, core: rates.CoreRates, chosen: casts.Casts | None) -> str:
    """Return what takes longest: `matrix engine`, `vector engine`, `memory`, or `overhead` when that is longer."""
    parts = _seconds(cost, core, chosen) | {"overhead": rates.OVERHEAD_NANOSECONDS / _NANOSECONDS}
    return max(parts, key=parts.__getitem__)


def memory_bytes(cost: costs.Cost, chosen: casts.Casts | None) -> int:
    """Return the bytes from and to HBM. Casts of everything store float32 weights in the smaller type."""
    share = _BYTES[chosen.type] if chosen is not None and chosen.scope is casts.Scope.ALL else _FLOAT32_BYTES
    return cost.moved_bytes + sum(
        size * share // _FLOAT32_BYTES if kind == _FLOAT32 else size for kind, size in cost.weight_bytes
    )


def _seconds(cost: costs.Cost, core: rates.CoreRates, chosen: casts.Casts | None) -> dict[str, float]:
    """Return what each part of a core needs for its share of the work."""
    return {
        "matrix engine": sum(flops / _rate(kind, core, chosen) for kind, flops in cost.matrix_flops),
        "vector engine": cost.vector_operations / core.vector_operations,
        "memory": memory_bytes(cost, chosen) / core.memory_bytes,
    }


def _rate(kind: str, core: rates.CoreRates, chosen: casts.Casts | None) -> float:
    """Return the reached rate of the matrix engine for factors of a type."""
    if kind == _FLOAT32 and chosen is not None:
        kind = _TORCH_NAMES[chosen.type]
    elif kind in _SLOW:
        kind = _FLOAT32
    return rates.MATRIX_SHARE * core.matrix_flops.get(kind, core.matrix_flops["bfloat16"])
