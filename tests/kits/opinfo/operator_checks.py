"""The checks that every operator of torch's database goes through: done on the device and on the CPU, and compared."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch

from kits.opinfo import operator_comparison, operator_database
from kits.opinfo.operator_database import Call, Sample

SAMPLES = 4
"""How many calls of an operator a check makes, at most."""
OTHER_TYPES = (torch.float64, torch.bfloat16, torch.float16, torch.complex64, torch.int64, torch.uint8, torch.bool)

Comparison = operator_comparison.Comparison


@dataclasses.dataclass(frozen=True)
class Raised:
    """How a call ended that did not return."""

    kind: str
    text: str


def forward(entry: Any, *, values: bool) -> Comparison | None:
    """Results, their strides, and the memory they share."""
    return _forward(entry, operator_database.preferred_type(entry), SAMPLES, values=values)


def other_types(entry: Any, *, values: bool) -> Comparison | None:
    """The same with whatever else an operator takes."""
    done = Comparison()
    for dtype in OTHER_TYPES:
        if dtype in entry.dtypes:
            _merge(done, _forward(entry, dtype, 2, values=values), str(dtype))
    return done


def gradients(entry: Any, *, values: bool) -> Comparison | None:
    """First derivatives by every argument that has one, along a random direction."""
    if not entry.supports_autograd or torch.float32 not in entry.dtypes:
        return None
    done = Comparison()
    for sample in operator_database.samples(entry, torch.float32, SAMPLES, requires_grad=True):
        here, there = (_gradients(entry.op, call, sample) for call in (sample.here, sample.there))
        _compare(done, there, here, values=values)
    return done


def in_place(entry: Any, *, values: bool) -> Comparison | None:
    """The in-place form: the first argument afterwards, and that it is what was returned."""
    operator = entry.inplace_variant
    if operator is None:
        return None
    done = Comparison()
    for sample in operator_database.samples(entry, operator_database.preferred_type(entry), SAMPLES):
        if not sample.broadcasts and isinstance(sample.there.input, torch.Tensor):
            here, there = (_changed(operator, call) for call in (sample.here, sample.there))
            _compare(done, there, here, values=values)
    return done


def out(entry: Any, *, values: bool) -> Comparison | None:
    """`out=`: tensors of the right size, transposed ones, and empty ones that have to grow."""
    if not entry.supports_out:
        return None
    done = Comparison()
    for sample in operator_database.samples(entry, operator_database.preferred_type(entry), 2):
        shapes = attempt(entry.op, sample.here)
        if isinstance(shapes, Raised):
            continue
        for make in (_garbage, _transposed_garbage, _nothing):
            here = _filled(entry.op, sample.here, shapes, make, "cpu")
            there = _filled(entry.op, sample.there, shapes, make, operator_database.DEVICE)
            _compare(done, there, here, values=values)
    return done


def refusals(entry: Any, *, values: bool) -> Comparison | None:
    """What must be refused is refused with the same error."""
    done = Comparison()
    for sample in operator_database.refusals(entry):
        here, there = (attempt(entry.op, call) for call in (sample.here, sample.there))
        if isinstance(here, Raised):
            _compare(done, there, here, values=True)
    return done


CHECKS: dict[str, Callable[..., Comparison | None]] = {
    check.__name__: check for check in (forward, other_types, gradients, in_place, out, refusals)
}


def arguments(call: Call) -> list[torch.Tensor]:
    """Return the tensors that a call is given, in order."""
    return operator_database.tensors((call.input, call.args, call.kwargs))


def attempt(operator: Callable[..., Any], call: Call, **more: Any) -> Any:
    """Call it with the same random numbers every time; how it ended is a result too."""
    torch.manual_seed(1)
    try:
        return operator(call.input, *call.args, **call.kwargs, **more)
    except Exception as error:  # noqa: BLE001 - any error is a result to compare
        return Raised(type(error).__name__, str(error))


def _forward(entry: Any, dtype: torch.dtype, most: int, *, values: bool) -> Comparison:
    done = Comparison()
    for sample in operator_database.samples(entry, dtype, most):
        here, there = (attempt(entry.op, call) for call in (sample.here, sample.there))
        _compare(done, there, here, values=values)
        if not isinstance(here, Raised) and not isinstance(there, Raised):
            done.compare_sharing(there, arguments(sample.there), here, arguments(sample.here))
            done.compare(arguments(sample.there), arguments(sample.here), moved=False)  # nothing else has changed
    return done


def _compare(done: Comparison, there: Any, here: Any, *, values: bool) -> None:
    if isinstance(there, Raised) and isinstance(here, Raised):
        if there.kind != here.kind:
            done.differences.append(f"raised {there}, not {here}")
    elif isinstance(there, Raised) or isinstance(here, Raised):
        done.differences.append(f"{_told(there)}, but the CPU {_told(here)}")
    else:
        done.compare(there, here, values=values)


def _told(result: Any) -> str:
    return f"raised {result.kind}: {result.text[:200]}" if isinstance(result, Raised) else "returned"


def _merge(done: Comparison, more: Comparison, label: str) -> None:
    done.differences += [f"{label}: {difference}" for difference in more.differences]
    done.exact = done.exact and more.exact


def _gradients(operator: Callable[..., Any], call: Call, sample: Sample) -> Any:
    result = attempt(operator, call)
    if isinstance(result, Raised):
        return result
    outputs = [tensor for tensor in operator_database.tensors(sample.process(result)) if tensor.requires_grad]
    inputs = [tensor for tensor in arguments(call) if tensor.requires_grad]
    if not outputs or not inputs:
        return []
    torch.manual_seed(2)
    directions = [torch.randn(output.shape, dtype=output.dtype).to(output.device) for output in outputs]
    try:
        found = torch.autograd.grad(outputs, inputs, directions, allow_unused=True)
    except Exception as error:  # noqa: BLE001 - any error is a result to compare
        return Raised(type(error).__name__, str(error))
    return list(found)


def _changed(operator: Callable[..., Any], call: Call) -> Any:
    target = call.input.clone()
    result = attempt(operator, dataclasses.replace(call, input=target))
    return result if isinstance(result, Raised) else [result, target, result is target]


def _filled(operator: Callable[..., Any], call: Call, shapes: Any, make: Callable[..., Any], device: str) -> Any:
    made = [make(tensor, device) for tensor in operator_database.tensors(shapes)]
    given = made[0] if isinstance(shapes, torch.Tensor) else made
    result = attempt(operator, call, out=given)
    if isinstance(result, Raised):
        return result
    return [
        made,
        [returned is tensor for returned, tensor in zip(operator_database.tensors(result), made, strict=False)],
    ]


def _garbage(like: torch.Tensor, device: str) -> torch.Tensor:
    return torch.ones(like.shape, dtype=like.dtype, device=device)


def _transposed_garbage(like: torch.Tensor, device: str) -> torch.Tensor:
    return torch.ones(like.shape[::-1], dtype=like.dtype, device=device).permute(tuple(range(like.dim()))[::-1])


def _nothing(like: torch.Tensor, device: str) -> torch.Tensor:
    return torch.empty(0, dtype=like.dtype, device=device)
