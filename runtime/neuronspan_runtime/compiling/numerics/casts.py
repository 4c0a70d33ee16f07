"""Which casts the compilers' options ask for.

Options, values and defaults of neuronx-cc: AWS's Neuron Compiler CLI reference and "Mixed precision and
performance-accuracy tuning (neuronx-cc)". Of neuron-cc: its CLI reference, in which `--fast-math all` is the default,
`none` still casts operands of matrix multiplications (Inf1 multiplies no float32), and `--fp32-cast` comes first.

Law: pure; reads options and knows no graph.
"""

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import compiler_arguments


class Scope(enum.Enum):
    """Whose operands are cast."""

    MATMULT = "matmult"
    """Matrix multiplications and convolutions: what the matrix engine computes."""
    ALL = "all"
    """Every operation."""


class Type(enum.Enum):
    """What float32 is rounded to."""

    BF16 = "bf16"
    FP16 = "fp16"
    TF32 = "tf32"
    FP8_E4M3 = "fp8_e4m3"


@dataclasses.dataclass(frozen=True)
class Casts:
    """One compilation's casts of float32 operands."""

    scope: Scope
    type: Type = Type.BF16

    def __str__(self) -> str:
        return f"{self.scope.value}-{self.type.value}"


Reader = Callable[[Sequence[str]], Casts | None]
"""From the compiler's arguments to its casts; None when it casts nothing."""

_NOTHING = "none"
_AUTO_CAST, _AUTO_CAST_TYPE, _FAST_MATH, _FP32_CAST = "--auto-cast", "--auto-cast-type", "--fast-math", "--fp32-cast"

_PRESETS: Mapping[str, Casts] = {"all": Casts(Scope.ALL), "none": Casts(Scope.MATMULT)}
_FP32_CASTS: Mapping[str, Casts] = {
    "all": Casts(Scope.ALL),
    "all-fp16": Casts(Scope.ALL, Type.FP16),
    "matmult": Casts(Scope.MATMULT),
    "matmult-bf16": Casts(Scope.MATMULT),
    "matmult-fp16": Casts(Scope.MATMULT, Type.FP16),
}
_FINER: Mapping[str, Casts] = {f"fp32-cast-{name}": casts for name, casts in _FP32_CASTS.items()}
_RELAYOUTS = ("fast-relayout", "no-fast-relayout")
"""How tensors are transposed; nothing is computed then."""


def of_neuronx_cc(arguments: Sequence[str]) -> Casts | None:
    """Read `--auto-cast` (matmult) and `--auto-cast-type` (bf16). Raises TraceRefused for values there are not."""
    scopes = (_NOTHING, *(scope.value for scope in Scope))
    scope = _one(arguments, _AUTO_CAST, scopes) or Scope.MATMULT.value
    chosen = _one(arguments, _AUTO_CAST_TYPE, [each.value for each in Type]) or Type.BF16.value
    return None if scope == _NOTHING else Casts(Scope(scope), Type(chosen))


def of_neuron_cc(arguments: Sequence[str]) -> Casts:
    """Read `--fp32-cast`, else `--fast-math` (all). Raises TraceRefused for values there are not, or not together."""
    words = compiler_arguments.values(arguments, _FAST_MATH) or ("all",)
    for word in words:
        _known(_FAST_MATH, word, (*_PRESETS, *_FINER, *_RELAYOUTS))
    presets, finer = ([word for word in words if word in known] for known in (_PRESETS, _FINER))
    for excluding in (presets, finer):
        if len(set(excluding)) > 1:
            raise errors.TraceRefused(f"{_FAST_MATH} has {' and '.join(excluding)}, which exclude each other: give one")
    if older := _one(arguments, _FP32_CAST, tuple(_FP32_CASTS)):
        return _FP32_CASTS[older]
    return _FINER[finer[0]] if finer else _PRESETS[presets[0] if presets else "all"]


def _one(arguments: Sequence[str], option: str, known: Sequence[str]) -> str | None:
    given = compiler_arguments.values(arguments, option)
    if given is None:
        return None
    return _known(option, given[0] if given else "", known)


def _known(option: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise errors.TraceRefused(f"{option} {value or '(nothing)'} is not one of {', '.join(known)}")
    return value
