"""Compiling a model: the CPU graph is recorded once and becomes the compiled model of a TorchScript module.

Nothing runs on a NeuronCore and none is claimed: the model is loaded when its file is, or at first use.

Law: nothing is optimised; the result is what the CPU computes with the recorded graph and the casts asked for.
"""

import hashlib
import inspect
import itertools
import json
import re
import types
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import outside, pipeline, separation, structure, torchscript
from neuronspan_runtime.compiling.numerics import casts, rounding
from neuronspan_runtime.compiling.recording import borrowing, recorder, unused
from neuronspan_runtime.models import model

WRAPPED = "function"
"""Attribute of a flattened module under which the user's own is: the first part of the paths of its modules."""

FORMAT = 1
"""Version of the metadata stored with a compiled model."""


def trace(
    function: Callable[..., Any],
    example_inputs: Any,
    *,
    cores_per_model: int = 1,
    separate_weights: bool = False,
    aliases: Mapping[torch.Tensor, int] | None = None,
    metadata: Mapping[str, Any] | None = None,
    chosen_casts: casts.Casts | None = None,
) -> torch.jit.ScriptModule:
    """Compile a module or function for these example inputs: a tuple of positional inputs, or the only one.

    The result takes the same arguments under the same names and returns the same structure of outputs; of inputs that
    the model does not use it warns, and takes anything in their place. Module and inputs may be on the device.
    For several cores per model it is cut into as many stages. With `separate_weights` parameters and buffers stay
    outside the compiled model and can be replaced. `aliases` makes parameters or buffers the states of the model: each
    call writes an output, given by its position, into them; such outputs are not returned.
    `chosen_casts` rounds operands as AWS's compilers do.
    Raises TraceRefused for inputs or outputs that are not tensors in tuples, lists or string-keyed dicts, and
    PipelineRefused for a model that cannot be cut.
    """
    modules = [function] if isinstance(function, torch.nn.Module) else _captured_modules(function)
    separated = separation.separated(modules, weights=separate_weights, aliases=aliases)
    flat, leaves = flattened(function, example_inputs, separated)
    kept = [one.value.detach().cpu().clone() for one in separated.all()]
    shared = separation.sharing(separated, len(leaves))
    with torchscript.one_thread(), separation.taken_out(separated), rounding.recordable(chosen_casts):
        recorded = recorder.recorded(flat, leaves + kept, len(separated.states), shared)
        ignored = unused.settled(recorded, leaves)
        needed = torchscript.without_inputs(recorded, len(leaves + kept), ignored) if ignored else recorded
        archive = torchscript.archived(rounding.cast(needed, chosen_casts))
    used = [index for index in range(len(leaves)) if index not in ignored]
    examples = [*(leaves[index] for index in used), *kept]
    archives = [archive] if cores_per_model == 1 else pipeline.cut(archive, examples, cores_per_model)
    described = {
        "format": FORMAT,
        "name": _name(function),
        "uuid": hashlib.blake2b(archive, digest_size=16).hexdigest(),
        "torch": torch.__version__,
        "inputs": [{"shape": list(leaf.shape), "dtype": str(leaf.dtype).removeprefix("torch.")} for leaf in leaves],
        **({"casts": str(chosen_casts)} if chosen_casts else {}),
    }
    described |= outside.names(separated)
    compiled = model.create(archives, cores_per_model, json.dumps(described | dict(metadata or {})))
    arguments = flat.named_arguments()
    texts = _leaf_texts(arguments)
    names = [*(texts[index] for index in used), *(one.names[0] for one in separated.all())]
    compiled.set_signature(examples, names, len(used), len(separated.states))
    source = forward_source(
        arguments, flat.result, lambda given: outside.call_of(separated, [given[index] for index in used])
    )
    unused.warn(leaves, ignored)
    return torchscript.module_of({model.ATTRIBUTE: compiled, **outside.holders(separated)}, source)


def trace_for_host(function: Callable[..., Any], example_inputs: Any) -> torch.jit.ScriptModule:
    """Make the module that `trace` would make, but one that runs on the CPU. Raises as `trace` does."""
    flat, leaves = flattened(function, example_inputs)
    recorded = recorder.recorded(flat, leaves)
    source = forward_source(
        flat.named_arguments(),
        flat.result,
        lambda given: f"self.host_model({', '.join(f'{text}.cpu()' for text in given)})",
        borrowing.of_host(recorded, leaves),
    )
    return torchscript.module_of({"host_model": recorded}, source)


def forward_source(
    arguments: Mapping[str, structure.Structure],
    result: structure.Structure,
    call: Callable[[Sequence[str]], str],
    copied: Collection[int] = (),
) -> str:
    """Write the TorchScript of a `forward` that calls with its tensors, of which `call` writes how, and rebuilds.

    The results at the positions `copied` are copied first.
    """
    declared = "".join(f", {name}: {argument.type_text()}" for name, argument in arguments.items())
    outputs = next(
        name for name in map("outputs{}".format, itertools.chain([""], itertools.count())) if name not in arguments
    )
    returned = result.built_text(
        f"{outputs}[{index}]{'.clone()' if index in copied else ''}" for index in itertools.count()
    )
    return (
        f"def forward(self{declared}) -> {result.type_text()}:\n"
        f"    {outputs} = {call(_leaf_texts(arguments))}\n"
        f"    return {returned}\n"
    )


def argument_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """Return the function's own names of its first positional arguments, or `input<n>` where it has none to offer.

    None to offer is also one that TorchScript keeps for itself, and one with letters beyond ASCII.
    """
    known = _own_names(function, count)
    return tuple(
        name if name.isascii() and name not in {"", "self", "torch"} else _free_name(f"input{index}", known)
        for index, name in enumerate(known)
    )


def _free_name(name: str, taken: Collection[str]) -> str:
    return next(free for free in (name + "_" * count for count in itertools.count()) if free not in taken)


def _own_names(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the first positional arguments as they are written, empty where there is none."""
    called = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        parameters: Iterable[inspect.Parameter] = inspect.signature(called).parameters.values()
    except ValueError:  # a builtin without a signature
        parameters = ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [parameter.name for parameter in parameters if parameter.kind in positional][:count]
    return known + [""] * (count - len(known))


def flattened(
    function: Callable[..., Any], example_inputs: Any, separated: separation.Separated | None = None
) -> tuple["_Flat", list[torch.Tensor]]:
    """Return a function as a module from tensors to tensors, and the tensors of its example inputs, on the CPU.

    A tuple is as many inputs, anything else the only one.
    Raises TraceRefused for inputs that are not tensors in tuples, lists or string-keyed dicts.
    """
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    arguments = tuple(_structure(value, f"example input {index}") for index, value in enumerate(inputs))
    leaves = [
        leaf.cpu() for argument, value in zip(arguments, inputs, strict=True) for leaf in argument.leaves_of(value)
    ]
    flat = _Flat(function, arguments, separated or separation.Separated())
    flat.given.inputs = inputs
    return flat, leaves


class _Flat(torch.nn.Module):
    """The function as a module from tensors to a tuple of tensors; remembers how its outputs nested.

    It takes the caller's tensors, then the weights and states that are outside.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[structure.Structure, ...], separated: separation.Separated
    ) -> None:
        super().__init__()
        self.function = function
        # weights that a plain function uses belong to the compiled model just as a module's own
        self.captured = torch.nn.ModuleList(_captured_modules(function))
        self.arguments = arguments
        self.separated = separated
        # not to be used, but to be found: what recording finds on the device it replaces, devices by name too
        self.given = types.SimpleNamespace()
        self.result: structure.Structure = structure.Leaf()

    def forward(self, *leaves: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kept = leaves[len(leaves) - len(self.separated.all()) :]
        separation.put_in(self.separated, kept)
        remaining = iter(leaves)
        outputs = self.function(*(argument.built(remaining) for argument in self.arguments))
        self.result = _structure(outputs, "the output")
        found = tuple(self.result.leaves_of(outputs))
        if not self.separated.states:
            return found
        left = structure.without(self.result, self.separated.outputs)
        if left is None:
            raise errors.TraceRefused(separation.EVERY_OUTPUT_NAMED)
        self.result = left
        return separation.states_updated(found, kept[len(self.separated.weights) :], self.separated.outputs)

    def named_arguments(self) -> dict[str, structure.Structure]:
        names = argument_names(self.function, len(self.arguments))
        for own, name in zip(_own_names(self.function, len(names)), names, strict=True):
            if not own.isascii():
                warnings.warn(
                    f"The argument {own} is called {name} in the compiled model: TorchScript takes names of ASCII "
                    "letters only. Rename it, or pass it by position",
                    UserWarning,
                    stacklevel=4,
                )
        return dict(zip(names, self.arguments, strict=True))


def _captured_modules(function: Callable[..., Any]) -> list[torch.nn.Module]:
    if isinstance(function, torch.nn.Module):
        return []
    if isinstance(owner := getattr(function, "__self__", None), torch.nn.Module):
        return [owner]
    if not inspect.isfunction(function):
        return []
    variables = inspect.getclosurevars(function)
    return [
        value
        for value in (*variables.globals.values(), *variables.nonlocals.values())
        if isinstance(value, torch.nn.Module)
    ]


def _leaf_texts(arguments: Mapping[str, structure.Structure]) -> list[str]:
    return [text for name, argument in arguments.items() for text in argument.leaf_texts(name)]


def _structure(value: Any, name: str) -> structure.Structure:
    found = structure.structure_of(value, lambda item: isinstance(item, torch.Tensor), name)
    for place, leaf in zip(found.leaf_texts(name), found.leaves_of(value), strict=True):
        _refuse_without_values(leaf, place)
    return found


def _refuse_without_values(tensor: torch.Tensor, name: str) -> None:
    """Refuse a tensor that is no block of numbers: a compiled program takes and makes no others."""
    if tensor.layout != torch.strided or tensor.is_nested:
        kind = "nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch.")
        remedy = "to_padded_tensor(0)" if tensor.is_nested else "to_dense()"
        raise errors.TraceRefused(
            f"{name} is a {kind} tensor: a compiled model takes and returns dense ones. Use {remedy}"
        )
    if tensor.is_meta:
        raise errors.TraceRefused(f"{name} is on the device meta, without values: use one on the CPU or on neuron")


def _name(function: Callable[..., Any]) -> str:
    """Return what the tools call the compiled model: its class or function, in characters that need no quoting."""
    name = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"[^0-9A-Za-z_.<>-]", "_", name)
