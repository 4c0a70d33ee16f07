"""What torch.jit cannot record by itself is compiled as the plain operators that it runs; nothing else is.

Here because of its costs: what takes a model apart is imported when it is first needed, and takes seconds.
"""

import io
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors
from neuronspan_runtime.compiling import tracing

PACKAGES: dict[str, Any] = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
WIDTH = 4


class Clamped(torch.autograd.Function):
    """An autograd function of the old form, with a context."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, least: float) -> Any:
        ctx.save_for_backward(values)
        return values.clamp(min=least)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (values,) = ctx.saved_tensors
        return gradients[0] * (values > 0), None


class Halved(torch.autograd.Function):
    """One of the newer form."""

    @staticmethod
    def forward(values: torch.Tensor) -> Any:
        return values / 2, values.sum()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass


clamped: Callable[..., Any] = Clamped.apply
"""As programs keep it: bound before anything is compiled."""


class Custom(torch.nn.Module):
    """A layer between two autograd functions, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer = torch.nn.Linear(WIDTH, WIDTH)
        self.register_buffer("calls", torch.zeros(1))
        self.calls: torch.Tensor

    def forward(self, values: torch.Tensor) -> Any:
        self.calls.add_(1)
        halves, total = Halved.apply(self.layer(clamped(values, 0.1)))  # type: ignore[no-untyped-call]
        return {"halves": halves, "total": total + self.calls}


class Checkpointed(torch.nn.Module):
    """Activation checkpointing, an autograd function of torch's own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.block = torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.GELU())

    def forward(self, values: torch.Tensor) -> Any:
        run: Any = torch.utils.checkpoint.checkpoint
        return run(self.block, values, use_reentrant=True)


class Mapped(torch.nn.Module):
    """vmap, as attention masks are made of."""

    def forward(self, values: torch.Tensor) -> Any:
        allowed = torch.vmap(lambda row: torch.vmap(lambda column: row >= column)(torch.arange(WIDTH)))
        return values.masked_fill(~allowed(torch.arange(WIDTH)), 0.0)


class Differentiated(torch.nn.Module):
    """A gradient inside of the model."""

    def forward(self, values: torch.Tensor) -> Any:
        return torch.func.grad(lambda x: (x**3).sum())(values)


class Umlauts(torch.nn.Module):
    """An attribute and a variable with letters that TorchScript files cannot have."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("größe", torch.nn.Linear(WIDTH, WIDTH))

    def forward(self, values: torch.Tensor) -> Any:
        länge = self.get_submodule("größe")(values)  # noqa: PLC2401 - the case
        return länge + 1


MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    each.__name__: each for each in (Custom, Checkpointed, Mapped, Differentiated, Umlauts)
}


def example() -> torch.Tensor:
    return torch.linspace(-1, 1, WIDTH * WIDTH).reshape(WIDTH, WIDTH)


def flat(outputs: Any) -> list[torch.Tensor]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def compiled(package: str, name: str, options: dict[str, Any]) -> list[bool]:
    """Compile, save and load; return whether each of three calls is the model's first one."""
    torch.manual_seed(1)
    first = MODELS[name]().eval()
    torch.manual_seed(1)
    model = MODELS[name]().eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, of what torch.jit cannot follow, and of gradients that nobody wants
        expected = flat(first(example()))
        traced = PACKAGES[package].trace(model, example(), **options)
    loaded = neuron_models.jit_load(io.BytesIO(traced.save_to_buffer()))
    untouched = not any(bool(value.any()) for value in model.buffers())
    return [untouched] + [all(map(torch.equal, flat(one(example())), expected)) for one in (traced, loaded, loaded)]


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("torch_neuronx", {}),
    ("torch_neuron", {}),
    ("torch_neuron", {"op_whitelist": {"aten::addmm"}, "minimum_segment_size": 1}),
]


def everything_compiled() -> dict[str, list[bool]]:
    """In one process: what plain operators need takes seconds to import."""
    return {
        f"{name} {package} {sorted(options)}": compiled(package, name, options)
        for package, options in OPTIONS
        for name in MODELS
    }


def test_model_that_torch_jit_cannot_record_is_compiled(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    found = processes.run(machine, everything_compiled)
    assert {name: right for name, right in found.items() if right != [True] * 4} == {}
    assert len(found) == len(MODELS) * len(OPTIONS)


def outside() -> list[bool]:
    """Weights outside and replaced, of a model with autograd functions."""
    with torch.no_grad():
        expected = flat(Custom().eval()(example()))
    model = Custom().eval()
    with torch.no_grad():
        model.layer.weight.zero_()
    traced = torch_neuronx.trace(model, example(), inline_weights_to_neff=False)
    torch_neuronx.replace_weights(traced, Custom())
    return list(map(torch.equal, flat(traced(example())), expected))


def test_weights_outside_of_a_model_with_autograd_functions(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, outside) == [True, True]


class Slow(torch.nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        raise KeyError(f"a model's own error, {values.dim()}")


def test_an_error_of_the_model_is_its_own() -> None:
    with pytest.raises(KeyError, match="a model's own error, 2"):
        tracing.trace_for_host(Slow(), example())


class Asking(torch.autograd.Function):
    """Turns a tensor into a number, which plain operators cannot."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> Any:  # noqa: ARG004 - torch's signature
        return values * float(values.sum())


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_what_neither_way_follows_is_refused_with_both_reasons() -> None:
    with pytest.raises(
        errors.TraceRefused, match=r"torch cannot record this model: it calls back into Python\. .*fails"
    ):
        tracing.trace_for_host(Asking.apply, example())


def dynamo_made() -> list[bool]:
    """A module that torch.compile wrapped: what it wraps is compiled."""
    module = neuron_models.Small()
    wrapped: Any = torch.compile(module, backend="eager")
    with torch.no_grad():
        expected = wrapped(neuron_models.example())
    return [
        torch.equal(package.trace(wrapped, neuron_models.example())(neuron_models.example()), expected)
        for package in PACKAGES.values()
    ]


def test_what_torch_compile_wrapped_is_compiled_as_it_was_written(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, dynamo_made) == [True, True]
