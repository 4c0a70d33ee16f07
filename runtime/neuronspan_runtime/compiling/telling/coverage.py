"""How much of a model is compiled: the lines of `torch.neuron.analyze_model` and `torch.neuron.trace`, and the answer.

Words and keys are those of logs and of a tutorial that AWS published for torch-neuron. "Arithmetic" operations are all
that are no primitives (`prim::...`), which only prepare arguments.

Law: counts and tells; what is supported is decided in `operator_support`.
"""

import collections
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from neuronspan_runtime.compiling.partitions import operator_support, program
from neuronspan_runtime.compiling.telling import terminal

_MORE = (
    "(For more information see https://awsdocs-neuron.readthedocs-hosted.com/en/latest/"
    "release-notes/compiler/neuron-cc/neuron-cc-ops/neuron-cc-ops-pytorch.html)"
)


def analysis(kinds: Iterable[str]) -> dict[str, Any]:
    """Return what analyze_model returns of a model with these operations, primitives included."""
    counts = collections.Counter(kinds)
    arithmetic = {kind: count for kind, count in counts.items() if not kind.startswith("prim::")}
    supported = {kind for kind in counts if _is_supported(kind)}
    share, share_arithmetic = _share(counts, supported), _share(arithmetic, supported)
    return collections.OrderedDict(
        percent_supported=_percent(*share),
        percent_supported_arithmetic=_percent(*share_arithmetic),
        supported_count=share[0],
        total_count=share[1],
        supported_count_arithmetic=share_arithmetic[0],
        total_count_arithmetic=share_arithmetic[1],
        supported_operators=supported,
        unsupported_operators=sorted(counts.keys() - supported),
        operators=sorted(counts),
        operator_count=collections.OrderedDict(sorted(counts.items())),
    )


def tell_analysis(found: Mapping[str, Any]) -> None:
    """Show what an analysis found."""
    log = terminal.logger()
    for word, key in (("supported", "supported_operators"), ("not supported", "unsupported_operators")):
        if found[key]:
            log.info("The following operations are currently %s in torch-neuron for this model:", word)
            for kind in sorted(found[key]):
                log.info(kind)
    for what, suffix in (("all operations (including primitives)", ""), ("arithmetic operations", "_arithmetic")):
        supported, total = found[f"supported_count{suffix}"], found[f"total_count{suffix}"]
        log.info("%.2f%% of %s (%d of %d) are supported", found[f"percent_supported{suffix}"], what, supported, total)


def told(choose: Callable[[program.Program], Sequence[bool]]) -> Callable[[program.Program], Sequence[bool]]:
    """Return the same choice of what is compiled, made known when it is made."""

    def chosen_and_told(whole: program.Program) -> Sequence[bool]:
        chosen = choose(whole)
        tell_choice([operation.kind for operation in whole.operations], chosen)
        return chosen

    return chosen_and_told


def tell_choice(kinds: Sequence[str], chosen: Sequence[bool]) -> None:
    """Show which operations of a model will be compiled, and which stay on the CPU."""
    log = terminal.logger()
    left = collections.Counter(kind for kind, compiled in zip(kinds, chosen, strict=True) if not compiled)
    if left:
        log.info(
            "There are %d ops of %d different types in the TorchScript that are not compiled by neuron-cc: %s, %s",
            *(left.total(), len(left), ", ".join(sorted(left)), _MORE),
        )
    else:
        log.info(
            "All operators are compiled by neuron-cc (this does not guarantee that neuron-cc will successfully compile)"
        )
    fused = len(kinds) - left.total()
    log.info(
        "Number of arithmetic operators (pre-compilation) before = %d, fused = %d, percent fused = %s%%",
        *(len(kinds), fused, round(_percent(fused, len(kinds)), 2)),
    )


def _share(counts: Mapping[str, int], supported: set[str]) -> tuple[int, int]:
    return sum(count for kind, count in counts.items() if kind in supported), sum(counts.values())


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


def _is_supported(kind: str) -> bool:
    return operator_support.support_of(kind).supported
