"""Compiling a model: the CPU graph is recorded once and becomes the compiled model of a TorchScript module.

Nothing runs on a NeuronCore and none is claimed: the model is loaded when its file is, or at first use.

Law: nothing is optimised; the result is what the CPU computes with the recorded graph.
"""

import hashlib
import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import outside, pipeline, recording, separation, structure, torchscript
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
) -> torch.jit.ScriptModule:
    """Compile a module or function for these example inputs (a tensor, or a tuple or list of positional inputs).

    The result takes the same arguments under the same names and returns the same structure of outputs. For several
    cores per model it is cut into as many stages. With `separate_weights` parameters and buffers stay outside the
    compiled model and can be replaced. `aliases` makes parameters or buffers the states of the model: each call writes
    an output, given by its position, into them; such outputs are not returned.
    Raises TraceRefused for inputs or outputs that are not tensors in tuples, lists or string-keyed dicts, and
    PipelineRefused for a model that cannot be cut.
    """
    modules = [function] if isinstance(function, torch.nn.Module) else _captured_modules(function)
    separated = separation.separated(modules, weights=separate_weights, aliases=aliases)
    flat, leaves = flattened(function, example_inputs, separated)
    kept = [one.value.detach().cpu().clone() for one in separated.all()]
    shared = separation.sharing(separated, len(leaves))
    with torchscript.one_thread(), separation.taken_out(separated):
        recorded = recording.recorded(flat, leaves + kept, len(separated.states), shared)
        archive = torchscript.archived(recorded)
    archives = [archive] if cores_per_model == 1 else pipeline.cut(archive, leaves + kept, cores_per_model)
    described = {
        "format": FORMAT,
        "name": _name(function),
        "uuid": hashlib.blake2b(archive, digest_size=16).hexdigest(),
        "torch": torch.__version__,
        "inputs": [_described(leaf) for leaf in leaves],
    }
    described |= outside.names(separated)
    compiled = model.create(archives, cores_per_model, json.dumps(described | dict(metadata or {})))
    arguments = flat.named_arguments()
    names = [*_leaf_texts(arguments), *(one.names[0] for one in separated.all())]
    compiled.set_signature(leaves + kept, names, len(leaves), len(separated.states))
    source = forward_source(arguments, flat.result, outside.call_of(separated))
    return torchscript.module_of({model.ATTRIBUTE: compiled, **outside.holders(separated)}, source)


def trace_for_host(function: Callable[..., Any], example_inputs: Any) -> torch.jit.ScriptModule:
    """Make the module that `trace` would make, but one that runs on the CPU. Raises as `trace` does."""
    flat, leaves = flattened(function, example_inputs)
    recorded = recording.recorded(flat, leaves)
    source = forward_source(flat.named_arguments(), flat.result, "self.host_model({})")
    return torchscript.module_of({"host_model": recorded}, source)


def forward_source(arguments: Mapping[str, structure.Structure], result: structure.Structure, call: str) -> str:
    """Write the TorchScript of a `forward` that puts its tensors in the `{}` of `call` and rebuilds its outputs."""
    declared = "".join(f", {name}: {argument.type_text()}" for name, argument in arguments.items())
    outputs = next(
        name for name in map("outputs{}".format, itertools.chain([""], itertools.count())) if name not in arguments
    )
    returned = result.built_text(f"{outputs}[{index}]" for index in itertools.count())
    return (
        f"def forward(self{declared}) -> {result.type_text()}:\n"
        f"    {outputs} = {call.format(', '.join(_leaf_texts(arguments)))}\n"
        f"    return {returned}\n"
    )


def argument_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """Return the function's own names of its first positional arguments, or `input<n>` where it has none to offer."""
    called = function.forward if isinstance(function, torch.nn.Module) else function
    try:
        parameters: Iterable[inspect.Parameter] = inspect.signature(called).parameters.values()
    except ValueError:  # a builtin without a signature
        parameters = ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [parameter.name for parameter in parameters if parameter.kind in positional][:count]
    usable = ["" if name in {"self", "torch"} else name for name in known] + [""] * (count - len(known))
    return tuple(name or f"input{index}" for index, name in enumerate(usable))


def flattened(
    function: Callable[..., Any], example_inputs: Any, separated: separation.Separated | None = None
) -> tuple["_Flat", list[torch.Tensor]]:
    """Return a function as a module from tensors to tensors, and the tensors of its example inputs, on the CPU.

    Raises TraceRefused for inputs that are not tensors in tuples, lists or string-keyed dicts.
    """
    inputs = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    arguments = tuple(_structure(value, f"example input {index}") for index, value in enumerate(inputs))
    leaves = [
        leaf.cpu() for argument, value in zip(arguments, inputs, strict=True) for leaf in argument.leaves_of(value)
    ]
    return _Flat(function, arguments, separated or separation.Separated()), leaves


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
    return structure.structure_of(value, lambda item: isinstance(item, torch.Tensor), name)


def _name(function: Callable[..., Any]) -> str:
    """Return what the tools call the compiled model: its class or function, in characters that need no quoting."""
    name = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"[^0-9A-Za-z_.<>-]", "_", name)


def _described(leaf: torch.Tensor) -> dict[str, Any]:
    return {"shape": list(leaf.shape), "dtype": str(leaf.dtype).removeprefix("torch.")}
