"""How long the stages of a compiled model last: what C++ asks for at the first call of a loaded model.

A program is counted once in a process for its code and its shapes; a loaded model keeps its durations until it goes.

Law: a model is read once more for it, from its own archives, and is left as it was.
"""

import ctypes
import dataclasses
import io
import json
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.device import session
from neuronspan_runtime.models import model as models
from neuronspan_runtime.timing import costs, counting, prediction

_Key = tuple[str, int, tuple[tuple[tuple[int, ...], str], ...]]


@dataclasses.dataclass(frozen=True)
class Program:
    """What is known of a compiled model's work."""

    name: str
    stages: tuple[costs.Cost, ...]
    """One cost for each archive."""
    cores: int
    """That one replica takes; a model that was not cut has its work on all of them."""
    casts: casts.Casts | None
    """What its compiler's arguments, or defaults, make of float32."""

    def durations(self, core: rates.CoreRates, scale: float = 1.0) -> tuple[int, ...]:
        """Return the nanoseconds of each stage on a core of these rates, so many times as long; at least one."""
        shared = core.times(self.cores // len(self.stages))
        return tuple(max(1, round(scale * prediction.nanoseconds(each, shared, self.casts))) for each in self.stages)


_programs: dict[_Key, Program] = {}


def durations(held: models.Model) -> list[int]:
    """Return the nanoseconds that each stage of a model is to last in this process: `torch.ops.neuron.durations`."""
    started = session.start()
    return list(program_of(held).durations(rates.of(started.hardware), started.time_scale or 1.0))


def program_of(held: models.Model) -> Program:
    """Count a compiled model, or return what was counted before."""
    described = json.loads(held.metadata() or "{}")
    inputs = held.inputs()
    shapes = tuple((tuple(one.shape), str(one.dtype)) for one in inputs)
    key = (described.get("uuid", ""), held.cores_per_model(), shapes)
    if key[0] and key in _programs:
        return _programs[key]
    with torchscript.unrecorded():
        stages = tuple(_stages(held.archives(), inputs, described.get("name", "a model")))
    counted = Program(described.get("name", ""), stages, held.cores_per_model(), _casts(described))
    return _programs.setdefault(key, counted) if key[0] else counted


def _casts(described: dict[str, Any]) -> casts.Casts | None:
    """Return the casts of the compiler's options, whether this process computes with them or not."""
    arguments = described.get("compilerArguments", [])
    try:
        if described.get("framework") == "torch_neuron":
            return casts.of_neuron_cc(arguments)
        return casts.of_neuronx_cc(arguments)
    except RuntimeError:  # with exact numerics nobody has read them yet: what is wrong with them changes nothing
        return casts.of_neuronx_cc([])


def _stages(archives: Sequence[torch.Tensor], inputs: Sequence[Any], name: str) -> Iterator[costs.Cost]:
    given = inputs
    for archive in archives:
        counted = _counted(ctypes.string_at(archive.data_ptr(), archive.numel()), given, name)
        yield counted.cost
        given = counted.results


def _counted(archive: bytes, inputs: Sequence[Any], name: str) -> counting.Counted:
    """Count one stage without values, else with zeros; what runs in neither way is its weights and inputs."""
    module = torchscript.restored(io.BytesIO(archive))
    weights = torchscript.tensors_of(module)
    problem = ""
    for real in (False, True):
        try:
            return counting.count(module, inputs, weights, real=real)
        except Exception as error:  # noqa: BLE001 - it may want values that are not there, or others than zeros
            problem = str(error)
    warnings.warn(
        f"{name} could not be counted ({problem}): it lasts as long as reading its weights and inputs takes",
        UserWarning,
        stacklevel=2,
    )
    read = costs.amounts((str(one.dtype).removeprefix("torch."), one.untyped_storage().nbytes()) for one in weights)
    moved = sum(one.nbytes for one in inputs if isinstance(one, torch.Tensor))
    return counting.Counted(costs.Cost(weight_bytes=read, moved_bytes=moved), ())


def programs_of(module: torch.nn.Module) -> Iterator[Program]:
    """Count all compiled models inside a module, in module order."""
    return map(program_of, models.models_of(module))
