"""One model in several parts: some compiled for NeuronCores, the others left on the CPU; it is called as one model.

What is cut computes the same bits as the whole, checked on the example inputs. Inputs of a part on the CPU are brought
there, so that the rule for outputs holds: with a part on the CPU on their way they are on the CPU.

Law: chooses nothing; a cut that does not compute the whole's bits is refused.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import torchscript, tracing
from neuronspan_runtime.compiling.partitions import program, segments
from neuronspan_runtime.compiling.recording import borrowing, recorder, unused

Compile = Callable[[Callable[..., Any], Any], torch.jit.ScriptModule]
"""Compiles a function, or a part of one, for NeuronCores, given its example inputs."""

Choose = Callable[[program.Program], Sequence[bool]]
"""Decides for each operation whether it goes to a NeuronCore."""


@dataclasses.dataclass(frozen=True)
class Part:
    """Operations that run in one piece."""

    on_device: bool
    operations: int
    """How many."""
    piece: program.Piece


def partitioned(
    function: Callable[..., Any], example_inputs: Any, choose: Choose, compiled: Compile
) -> torch.jit.ScriptModule:
    """Compile the chosen operations, leave the others to the CPU, and return one module of all parts.

    It has the arguments and the outputs that tracing.trace would give it. Raises TraceRefused when the parts would not
    compute what the whole does, and whatever `choose` and `compiled` raise.
    """
    flat, leaves = tracing.flattened(function, example_inputs)
    recorded = recorder.recorded(flat, leaves)
    ignored = unused.settled(recorded, leaves)
    whole = program.Program(recorded, tracing.WRAPPED)
    chosen = choose(whole)
    if all(chosen):
        return compiled(function, example_inputs)
    parts = _parts(whole, chosen)
    values, lent = _run(whole, parts, leaves)
    results = [values[name] for name in whole.outputs]
    _check(recorded, leaves, results)
    modules = [
        compiled(part.piece.module, tuple(values[name] for name in part.piece.inputs))
        if part.on_device
        else part.piece.module
        for part in parts
    ]
    joined = torchscript.module_of(
        {f"part_{index}": module for index, module in enumerate(modules)}, _source(whole, parts)
    )
    unused.warn(leaves, ignored)
    return torchscript.module_of(
        {"partitions": joined},
        tracing.forward_source(
            flat.named_arguments(),
            flat.result,
            lambda given: f"self.partitions({', '.join(given)})",
            borrowing.borrowed(results, lent),
        ),
    )


def _parts(whole: program.Program, chosen: Sequence[bool]) -> list[Part]:
    """Cut the program; every part makes what later parts or the caller need of it."""
    found = segments.segments(whole.dependencies, chosen, keep_order=whole.order_matters)
    prepared = [name for name in whole.outputs if name not in whole.inputs and whole.owner(name) is None]
    parts = [Part(on_device=False, operations=0, piece=whole.piece((), prepared))] if prepared else []
    needed = {*whole.outputs} - {*prepared}
    for part in parts:
        needed |= set(part.piece.inputs)
    for segment in reversed(found):
        piece = whole.piece(segment.operations, sorted(needed & whole.results(segment.operations)))
        needed |= set(piece.inputs)
        parts.insert(0, Part(segment.on_device, len(segment.operations), piece))
    return [part for part in parts if part.piece.outputs]


def _run(
    whole: program.Program, parts: Sequence[Part], leaves: Sequence[torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
    """Run the parts on the CPU, each on copies as a device would.

    Return every value that passes between them, and what a result must not share memory with: the inputs, and what
    parts on the CPU are given and hold.
    """
    values = dict(zip(whole.inputs, (leaf.clone() for leaf in leaves), strict=True))
    lent = list(values.values())
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for part in parts:
            given = [values[name].clone() for name in part.piece.inputs]
            results = part.piece.module(*given)
            values |= dict(zip(part.piece.outputs, results, strict=True))
            if not part.on_device:
                lent += [*given, *torchscript.tensors_of(part.piece.module)]
    return values, lent


def _check(recorded: torch.jit.ScriptModule, leaves: Sequence[torch.Tensor], found: Sequence[torch.Tensor]) -> None:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        expected = recorded(*(leaf.clone() for leaf in leaves))
    try:
        torch.testing.assert_close(list(found), list(expected), rtol=0, atol=0, equal_nan=True)
    except AssertionError as error:
        raise errors.TraceRefused(
            f"the model cannot be cut into parts for NeuronCores and the CPU, their results differ: {error}. "
            "Does it change tensors in place?"
        ) from error


def _source(whole: program.Program, parts: Sequence[Part]) -> str:
    """Write the TorchScript that hands values from part to part."""
    expressions = {name: f"x{index}" for index, name in enumerate(whole.inputs)}
    lines = [f"def forward(self{''.join(f', {name}: Tensor' for name in expressions.values())}):"]
    for index, part in enumerate(parts):
        values = (expressions[name] + ("" if part.on_device else ".cpu()") for name in part.piece.inputs)
        lines.append(f"    r{index} = self.part_{index}({', '.join(values)})")
        expressions |= {name: f"r{index}[{place}]" for place, name in enumerate(part.piece.outputs)}
    lines.append(f"    return ({', '.join(expressions[name] for name in whole.outputs)},)")
    return "\n".join(lines) + "\n"
