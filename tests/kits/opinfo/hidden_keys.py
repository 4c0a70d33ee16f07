"""Operators of torch's database without autograd's dispatch keys, as compiled programs run them, and with them.

`csrc/graph/executor.cpp` hides the keys, as a compiled program has no gradient; views are still followed where that can
be seen. There are two ways to compare. Every call is made under the same keys hidden in Python, where also views and
what is written can be compared; and the call is recorded as a program, which the C++ executor runs as any other.
"""

import contextlib
import functools
import io
import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from kits.opinfo import operator_checks, operator_comparison, operator_database
from kits.opinfo.operator_database import Call, Sample

SAMPLES = 4
"""How many calls of an operator a check makes of each kind, at most."""

UNREPEATABLE = {"linalg.lstsq": "its driver gelsy begins with pivots that nobody has set, so its sums have any order"}
"""Operators whose results differ in their last bits from call to call, with the reason: compared within tolerances."""

Comparison = operator_comparison.Comparison

untyped: Any = torch
"""torch, where it has no types of its own."""


def keys_hidden(entry: Any, *, values: bool) -> Comparison:
    """Results, strides, shared memory and what is written, of calls without the keys and with them.

    In place, and with arguments that require a gradient, views are followed, as programs then do.
    """
    done, bits = Comparison(), entry.name not in UNREPEATABLE
    for sample in _samples(entry):
        _compare_hidden(done, entry.op, sample, followed=False, values=values, bits=bits)
    for sample in _samples(entry, requires_grad=True):
        _compare_hidden(done, entry.op, sample, followed=True, values=values, bits=bits)
    if entry.inplace_variant is not None:
        for sample in _samples(entry):
            if not sample.broadcasts and isinstance(sample.there.input, torch.Tensor):
                _compare_hidden(done, entry.inplace_variant, sample, followed=True, values=values, bits=bits)
    return done


def as_a_program(entry: Any, *, values: bool) -> Comparison | None:
    """The call, and its in-place form, recorded as a program: run by the executor and by torch's interpreter.

    None when no call can be recorded: those whose control flow asks for values, or that return no tensor.
    """
    done, bits = Comparison(), entry.name not in UNREPEATABLE
    for sample in itertools.chain(_samples(entry), _samples(entry, requires_grad=True)):
        _compare_program(done, entry.op, sample, values=values, bits=bits)
    if entry.inplace_variant is not None:
        for sample in _samples(entry):
            if not sample.broadcasts and isinstance(sample.there.input, torch.Tensor):
                _compare_program(done, entry.inplace_variant, sample, values=values, bits=bits)
    return done if done.samples else None


CHECKS: dict[str, Callable[..., Comparison | None]] = {check.__name__: check for check in (keys_hidden, as_a_program)}


@contextlib.contextmanager
def hidden(*, followed: bool) -> Iterator[None]:
    """Hide what `kHidden` of the executor names, and, unless views are `followed`, what follows them."""
    keys: Any = untyped._C.DispatchKey
    names = [keys.AutogradFunctionality, keys.AutogradOther, keys.AutogradNestedTensor, keys.AutocastCPU]
    chosen: Any = untyped._C.DispatchKeySet(keys.Undefined)
    for name in (*names, *(() if followed else (keys.ADInplaceOrView,))):
        chosen |= untyped._C.DispatchKeySet(name)
    with torch.no_grad(), untyped._C._ExcludeDispatchKeyGuard(chosen):
        yield


def _samples(entry: Any, *, requires_grad: bool = False) -> list[Sample]:
    if requires_grad and (not entry.supports_autograd or torch.float32 not in entry.dtypes):
        return []
    dtype = operator_database.preferred_type(entry)
    return operator_database.samples(entry, dtype, SAMPLES, requires_grad=requires_grad)


def _compare_hidden(
    done: Comparison, operator: Callable[..., Any], sample: Sample, *, followed: bool, values: bool, bits: bool
) -> None:
    without, having = operator_database.on_host(sample.there), operator_database.on_host(sample.there)
    with hidden(followed=followed):
        found = operator_checks.attempt(operator, without)
    with torch.no_grad():
        expected = operator_checks.attempt(operator, having)
    done.samples += 1
    if _raised(done, found, expected):
        return
    _compare(done, _results(found), _results(expected), values=values, bits=bits)
    arguments, arguments_there = operator_checks.arguments(having), operator_checks.arguments(without)
    _compare(done, arguments_there, arguments, values=values, bits=bits)
    done.compare_sharing(found, arguments_there, expected, arguments)
    if followed:
        versions = [[tensor._version for tensor in each] for each in (arguments_there, arguments)]
        done.compare(*versions, moved=False)


def _compare_program(
    done: Comparison, operator: Callable[..., Any], sample: Sample, *, values: bool, bits: bool
) -> None:
    program = _Recorded(operator, operator_database.on_host(sample.there))
    if (archive := _archive(program)) is None:
        return
    model: Any = untyped.classes.neuron.Model([archive], 1, "{}")
    whole: Any = untyped.jit.load(io.BytesIO(archive))
    without, having = ([tensor.detach().clone() for tensor in program.inputs] for _ in range(2))
    with untyped.jit.optimized_execution(should_optimize=False), torch.no_grad():
        expected = _attempt(functools.partial(whole, *having))
    found = _attempt(lambda: tuple(untyped.ops.neuron.forward_v2(without, model)))
    done.samples += 1
    if _raised(done, found, expected):
        return
    packed = ([tensor.contiguous() for tensor in _results(each)] for each in (found, expected))  # views come as copies
    _compare(done, *packed, values=values, bits=bits)
    _compare(done, without, having, values=values, bits=bits)


class _Recorded(torch.nn.Module):
    """One call as a module: its tensors that need no gradient are inputs, the others weights."""

    def __init__(self, operator: Callable[..., Any], call: Call) -> None:
        super().__init__()
        self.operator = operator
        self.call = call
        every = operator_checks.arguments(call)
        self.inputs = [tensor for tensor in every if not tensor.requires_grad]
        self.weights = torch.nn.ParameterList(tensor.detach() for tensor in every if tensor.requires_grad)

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        inputs, weights = iter(given), iter(self.weights)
        call = operator_database.replaced(
            self.call, lambda tensor: next(weights) if tensor.requires_grad else next(inputs)
        )
        result = self.operator(call.input, *call.args, **call.kwargs)
        return tuple(operator_database.tensors(result))


def _archive(program: _Recorded) -> bytes | None:
    """Record a call; None when torch cannot, or when it has nothing to give."""
    torch.manual_seed(1)
    examples = tuple(tensor.detach().clone() for tensor in program.inputs)
    file = io.BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = untyped.jit.trace(program, examples, check_trace=False, strict=False)
            untyped.jit.save(traced, file)
    except Exception:  # noqa: BLE001 - torch says no in many ways, and what it does not record is no program
        return None
    return file.getvalue()


def _attempt(call: Callable[[], Any]) -> Any:
    torch.manual_seed(1)
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - any error is a result to compare
        return operator_checks.Raised(type(error).__name__, str(error))


def _raised(done: Comparison, found: Any, expected: Any) -> bool:
    """Whether one of the two did; a difference unless both did."""
    raised = [isinstance(each, operator_checks.Raised) for each in (found, expected)]
    if any(raised) and not all(raised):
        done.differences.append(f"without the keys {found}, with them {expected}"[:300])
    return any(raised)


def _results(result: Any) -> list[Any]:
    """Return what was returned, in order, without a mark of gradients: the outputs of a program have none."""
    leaves = operator_database.leaves(result)
    return [each.detach() if isinstance(each, torch.Tensor) else each for each in leaves]


def _compare(done: Comparison, found: list[Any], expected: list[Any], *, values: bool, bits: bool) -> None:
    """Compare values to the bit, or within torch's tolerances."""
    done.exact = True
    done.compare(found, expected, values=values, moved=False)
    if bits and not done.exact:
        done.differences.append("values differ in their bits")
