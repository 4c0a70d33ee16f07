"""Small torch models with seeded weights, cut for 1 to 4 pipeline cores, and what they must compute."""

import io
import pathlib
from collections.abc import Callable
from typing import Any

import torch

import neuronspan_runtime
import torch_neuron

MOST_CORES = 4
WIDTH = 6

untyped: Any = torch
"""torch, where it has no types of its own."""
jit_load: Callable[..., torch.jit.ScriptModule] = torch.jit.load
"""torch's own, with a type."""


class Small(torch.nn.Module):
    """[n, 6] -> [n, 6]: enough layers to be cut in four."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.layers = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH) for _ in range(4)))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
        self.eval()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            values = torch.relu(layer(values))
        return values


def example(rows: int = 2) -> torch.Tensor:
    """An input for Small."""
    return torch.linspace(-1, 1, rows * WIDTH).reshape(rows, WIDTH)


def file_of(directory: pathlib.Path, cores: int) -> str:
    """Where the model for so many pipeline cores is."""
    return str(directory / f"model-with-{cores}-neuron-pipeline-cores.pt")


def save_all(directory: pathlib.Path) -> None:
    """Compile and save a model for each number of cores."""
    for cores in range(1, MOST_CORES + 1):
        arguments = ["--neuroncore-pipeline-cores", str(cores)] if cores > 1 else None
        torch_neuron.trace(Small(cores), example(), compiler_args=arguments).save(file_of(directory, cores))


def load(directory: pathlib.Path, cores: int) -> torch.jit.ScriptModule:
    """Load one as a program would, and check what it computes."""
    model = jit_load(file_of(directory, cores))
    check(model, cores)
    return model


def check(model: torch.nn.Module, cores: int) -> None:
    """The loaded model computes what the module computes on the CPU, to the bit."""
    with torch.no_grad():
        assert torch.equal(model(example()), Small(cores)(example()))


def unloaded(module: torch.nn.Module, *inputs: torch.Tensor) -> Any:
    """A compiled model as the C++ library holds it, in one stage and not loaded anywhere."""
    file = io.BytesIO()
    with torch.no_grad():
        untyped.jit.save(untyped.jit.trace(module.eval(), inputs), file)
    return untyped.classes.neuron.Model([file.getvalue()], 1, "{}")


def spans_of(*models: torch.nn.Module) -> list[list[str]]:
    """Where the replicas of each model are, node numbering."""
    return [[str(span) for span in neuronspan_runtime.placement(model)] for model in models]
