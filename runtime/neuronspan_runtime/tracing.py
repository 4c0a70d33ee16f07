"""Compiling a model: the CPU graph is recorded once and becomes the compiled model of a TorchScript module.

Nothing runs on a NeuronCore and none is claimed: the model is loaded when its file is, or at first use.
"""

import hashlib
import inspect
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from neuronspan_runtime import model, structure, torchscript

WRAPPED = "function"
"""Attribute of a flattened module under which the user's own is: the first part of the paths of its modules."""

FORMAT = 1
"""Version of the metadata stored with a compiled model."""


def trace(
    function: Callable[..., Any],
    example_inputs: Any,
    *,
    cores_per_model: int = 1,
    metadata: Mapping[str, Any] | None = None,
) -> torch.jit.ScriptModule:
    """Compile a module or function for these example inputs (a tensor, or a tuple or list of positional inputs).

    The result takes the same arguments under the same names and returns the same structure of outputs.
    Raises TraceRefused for inputs or outputs that are not tensors in tuples, lists or string-keyed dicts.
    """
    flat, leaves = _flattened(function, example_inputs)
    archive = torchscript.archived(torchscript.recorded(flat, leaves))
    described = {
        "format": FORMAT,
        "name": _name(function),
        "uuid": hashlib.blake2b(archive, digest_size=16).hexdigest(),
        "torch": torch.__version__,
        "inputs": [_described(leaf) for leaf in leaves],
    }
    compiled = model.create([archive], cores_per_model, json.dumps(described | dict(metadata or {})))
    call = f"torch.ops.neuron.forward_v2([{{}}], self.{model.ATTRIBUTE})"
    source = forward_source(flat.named_arguments(), flat.result, call)
    return torchscript.module_of({model.ATTRIBUTE: compiled}, source)


def forward_source(arguments: Mapping[str, structure.Structure], result: structure.Structure, call: str) -> str:
    """Write the TorchScript of a `forward` that puts its tensors in the `{}` of `call` and rebuilds its outputs."""
    declared = "".join(f", {name}: {argument.type_text()}" for name, argument in arguments.items())
    tensors = ", ".join(text for name, argument in arguments.items() for text in argument.leaf_texts(name))
    outputs = next(
        name for name in map("outputs{}".format, itertools.chain([""], itertools.count())) if name not in arguments
    )
    returned = result.built_text(f"{outputs}[{index}]" for index in itertools.count())
    return (
        f"def forward(self{declared}) -> {result.type_text()}:\n"
        f"    {outputs} = {call.format(tensors)}\n"
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


class _Flat(torch.nn.Module):
    """The function as a module from tensors to a tuple of tensors; remembers how its outputs nested."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[structure.Structure, ...]) -> None:
        super().__init__()
        self.function = function
        # weights that a plain function uses belong to the compiled model just as a module's own
        self.captured = torch.nn.ModuleList(_captured_modules(function))
        self.arguments = arguments
        self.result: structure.Structure = structure.Leaf()

    def forward(self, *leaves: torch.Tensor) -> tuple[torch.Tensor, ...]:
        remaining = iter(leaves)
        outputs = self.function(*(argument.built(remaining) for argument in self.arguments))
        self.result = _structure(outputs, "the output")
        return tuple(self.result.leaves_of(outputs))

    def named_arguments(self) -> dict[str, structure.Structure]:
        names = argument_names(self.function, len(self.arguments))
        return dict(zip(names, self.arguments, strict=True))


def _flattened(function: Callable[..., Any], example_inputs: Any) -> tuple[_Flat, list[torch.Tensor]]:
    inputs = tuple(example_inputs) if isinstance(example_inputs, (tuple, list)) else (example_inputs,)
    arguments = tuple(_structure(value, f"example input {index}") for index, value in enumerate(inputs))
    leaves = [
        leaf.cpu() for argument, value in zip(arguments, inputs, strict=True) for leaf in argument.leaves_of(value)
    ]
    return _Flat(function, arguments), leaves


flattened = _flattened


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


def _structure(value: Any, name: str) -> structure.Structure:
    return structure.structure_of(value, lambda item: isinstance(item, torch.Tensor), name)


def _name(function: Callable[..., Any]) -> str:
    """Return what the tools call the compiled model: its class or function, in characters that need no quoting."""
    name = getattr(function, "__name__", type(function).__name__)
    return re.sub(r"[^0-9A-Za-z_.<>-]", "_", name)


def _described(leaf: torch.Tensor) -> dict[str, Any]:
    return {"shape": list(leaf.shape), "dtype": str(leaf.dtype).removeprefix("torch.")}
