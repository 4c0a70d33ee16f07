"""The models that are timed, each as torch's own ScriptModule and as a traced model, both loaded from a file."""

import pathlib
import tempfile
from collections.abc import Callable, Sequence

import torch

import torch_neuron

Loaded = Callable[[torch.Tensor], torch.Tensor]
Saved = torch.jit.ScriptModule

jit_load: Callable[..., Saved] = torch.jit.load
jit_trace: Callable[..., Saved] = torch.jit.trace
"""torch's own, with types."""


def layers(count: int, width: int) -> torch.nn.Module:
    """So many linear layers, each with an activation."""
    torch.manual_seed(0)
    parts = [part for _ in range(count) for part in (torch.nn.Linear(width, width), torch.nn.ReLU())]
    return torch.nn.Sequential(*parts).eval().requires_grad_(requires_grad=False)


def small() -> tuple[torch.nn.Module, torch.Tensor]:
    """About 10 µs: nearly all of it is calling."""
    return layers(2, 16), torch.ones(1, 16)


def trainable() -> tuple[torch.nn.Module, torch.Tensor]:
    """The same with weights that require a gradient, as those of a model just made do."""
    module, example = small()
    return module.requires_grad_(requires_grad=True), example


def large() -> tuple[torch.nn.Module, torch.Tensor]:
    """A few milliseconds."""
    return layers(12, 256), torch.ones(64, 256)


def convolutions() -> tuple[torch.nn.Module, torch.Tensor]:
    """A few milliseconds of image."""
    torch.manual_seed(0)
    parts = [part for _ in range(8) for part in (torch.nn.Conv2d(32, 32, 3, padding=1), torch.nn.ReLU())]
    return torch.nn.Sequential(*parts).eval().requires_grad_(requires_grad=False), torch.ones(1, 32, 28, 28)


def plain(module: torch.nn.Module, example: torch.Tensor) -> Saved:
    """Trace with torch alone, save, load."""
    return _loaded(jit_trace(module, (example,)))


def traced(module: torch.nn.Module, example: torch.Tensor, *, pipeline_cores: int = 1) -> Saved:
    """Compile for a NeuronCore, save, load: placed as the current context says."""
    arguments = ["--neuroncore-pipeline-cores", str(pipeline_cores)] if pipeline_cores > 1 else None
    return _loaded(torch_neuron.trace(module, (example,), compiler_args=arguments))


def _loaded(module: Saved) -> Saved:
    with tempfile.TemporaryDirectory() as directory:
        path = str(pathlib.Path(directory) / "model.pt")
        module.save(path)
        return jit_load(path)


def equal(results: Sequence[torch.Tensor]) -> bool:
    """Whether all results are the same to the bit."""
    return all(torch.equal(results[0].cpu(), other.cpu()) for other in results[1:])
