"""The files that AWS's compilers leave in `compiler_workdir`, as far as programs look for them.

`graph.neff` of torch_neuronx and `0/graph_def.neff`, `1/graph_def.neff`, ... of torch_neuron, where published programs
and logs have them. Here a NEFF is the TorchScript file of the part that runs on a NeuronCore: torch.jit.load reads it.

Law: the directory is made, with those above it; a file appears whole.
"""

import os
import pathlib
from collections.abc import Sequence

import torch

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.models import model

Directory = str | os.PathLike[str] | None


def left_for_trainium(traced: torch.jit.ScriptModule, directory: Directory) -> torch.jit.ScriptModule:
    """Return the model, of which `graph.neff` is left in the directory; of several compiled parts each has a folder."""
    parts = _compiled_parts(traced)
    _leave(parts, ["graph.neff"] if len(parts) == 1 else [f"{n}/graph.neff" for n in range(len(parts))], directory)
    return traced


def left_for_inferentia(traced: torch.jit.ScriptModule, directory: Directory) -> torch.jit.ScriptModule:
    """Return the model, of which `<n>/graph_def.neff` is left in the directory for each compiled part."""
    parts = _compiled_parts(traced)
    _leave(parts, [f"{n}/graph_def.neff" for n in range(len(parts))], directory)
    return traced


def _compiled_parts(traced: torch.jit.ScriptModule) -> list[torch.jit.ScriptModule]:
    return [part for part, _ in model.parts_of(traced) if isinstance(part, torch.jit.ScriptModule)]


def _leave(parts: Sequence[torch.jit.ScriptModule], names: Sequence[str], directory: Directory) -> None:
    if directory is None:
        return
    root = pathlib.Path(directory)
    root.mkdir(parents=True, exist_ok=True)
    for part, name in zip(parts, names, strict=True):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(torchscript.archived(part))
        unfinished.replace(path)
