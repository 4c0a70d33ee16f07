"""Which operators the simulated compilers take.

The real ones know a list that changes with every release; this one takes whatever the CPU can run, except operators of
which AWS's documentation says that they are not supported (sorting, Fourier transforms, shapes that depend on data).

Law: the only list of what cannot be compiled.
"""

import dataclasses
from collections.abc import Sequence

import torch

COMPILER = "neuronx-cc"
LOWERING = "Lowering to HLO"

_SORTING = ("sort", "argsort", "msort")
_FOURIER = ("stft", "istft")
_DATA_DEPENDENT = (
    "nonzero", "nonzero_numpy", "argwhere", "masked_select", "unique_dim", "unique_consecutive", "_unique", "_unique2",
    "bincount", "histc", "histogram",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Support:
    """What is known of an operator."""

    supported: bool
    fails_at: str = ""
    """Where compiling it would fail: `neuronx-cc` or `Lowering to HLO`, as `torch_neuronx.analyze` names them."""


def support_of(kind: str) -> Support:
    """Return whether an operator such as `aten::relu` can be compiled."""
    name = kind.partition("::")[2].removesuffix("_")
    if name in _DATA_DEPENDENT:
        return Support(supported=False, fails_at=LOWERING)
    if name in _SORTING or name in _FOURIER or name.startswith("fft_"):
        return Support(supported=False, fails_at=COMPILER)
    return Support(supported=True)


def supported_operations() -> list[str]:
    """Return the names of all operators that can be compiled, sorted: `torch.neuron.get_supported_operations`."""
    names: Sequence[str] = torch._C._dispatch_get_all_op_names()  # noqa: SLF001 - torch lists its operators there only
    kinds = {name.partition(".")[0] for name in names if name.startswith(("aten::", "prim::"))}
    return sorted(kind for kind in kinds if support_of(kind).supported)
