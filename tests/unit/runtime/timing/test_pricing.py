"""Compiled models as programs with a cost: without the device, from archives as C++ holds them."""

import io
import json
from typing import Any

import pytest
import torch

from kits.device import neuron_models
from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.timing import costs, pricing

CORE = rates.CoreRates({"bfloat16": 1e12}, 1e9, 1e10)
ROWS = 3
untyped: Any = torch
"""torch, where it has no types of its own."""


class Held:
    """What pricing asks of `torch.classes.neuron.Model`, which needs the C++ library."""

    def __init__(self, *stages: torch.nn.Module, cores: int = 1, **metadata: Any) -> None:
        self.asked = 0
        self._cores = cores
        self._metadata = metadata
        self._archives = [_archive(stage) for stage in stages]

    def archives(self) -> list[torch.Tensor]:
        self.asked += 1
        return self._archives

    def inputs(self) -> list[torch.Tensor]:
        return [torch.zeros(ROWS, neuron_models.WIDTH, device="meta")]

    def cores_per_model(self) -> int:
        return self._cores

    def metadata(self) -> str:
        return json.dumps(self._metadata)


def _archive(stage: torch.nn.Module) -> torch.Tensor:
    file = io.BytesIO()
    untyped.jit.save(untyped.jit.trace(stage, torch.zeros(ROWS, neuron_models.WIDTH)), file)
    return torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)


def program(held: Any) -> pricing.Program:
    return pricing.program_of(held)


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
LAYER_FLOPS = 2 * ROWS * neuron_models.WIDTH**2


def test_program_has_a_cost_for_each_stage() -> None:
    first, second, third, last = neuron_models.Small().layers
    found = program(Held(torch.nn.Sequential(first, second, third), last, cores=2, name="Cut"))
    assert (found.name, found.cores) == ("Cut", 2)
    assert [stage.flops for stage in found.stages] == [3 * LAYER_FLOPS, LAYER_FLOPS]


def test_program_is_counted_once_for_its_code_and_shapes() -> None:
    one, same = (Held(neuron_models.Small(), uuid="counted-once") for _ in range(2))
    assert program(one) is program(same) is program(one)
    assert (one.asked, same.asked) == (1, 0)


def test_programs_without_a_name_for_their_code_are_not_mixed_up() -> None:
    large, small = Held(neuron_models.Small()), Held(neuron_models.Small().layers[0])
    assert program(large).stages != program(small).stages


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, "matmult-bf16"),
        ({"framework": "torch_neuronx", "compilerArguments": ["--auto-cast=none"]}, "None"),
        ({"framework": "torch_neuronx", "compilerArguments": ["--auto-cast", "all"]}, "all-bf16"),
        ({"framework": "torch_neuron"}, "all-bf16"),
        ({"framework": "torch_neuron", "compilerArguments": ["--fast-math", "none"]}, "matmult-bf16"),
        ({"framework": "torch_neuronx", "compilerArguments": ["--auto-cast", "colourful"]}, "matmult-bf16"),
    ],
)
def test_casts_are_those_of_the_compilers_arguments(metadata: dict[str, Any], expected: str) -> None:
    assert str(program(Held(neuron_models.Small(), **metadata)).casts) == expected


STAGE = costs.Cost(moved_bytes=10**7)
"""A millisecond of CORE's memory."""


@pytest.mark.parametrize(("stages", "cores", "milliseconds"), [(1, 1, 1.0), (1, 4, 0.25), (4, 4, 1.0)])
def test_work_that_is_not_cut_is_shared_by_all_cores(stages: int, cores: int, milliseconds: float) -> None:
    found = pricing.Program("", (STAGE,) * stages, cores, casts.Casts(casts.Scope.MATMULT)).durations(CORE)
    assert found == (rates.OVERHEAD_NANOSECONDS + round(milliseconds * 1e6),) * stages


def test_durations_are_so_many_times_as_long_and_never_nothing() -> None:
    found = pricing.Program("", (STAGE,), 1, None)
    assert found.durations(CORE, 10.0) == (10 * found.durations(CORE)[0],)
    assert found.durations(CORE, 1e-12) == (1,)


def test_program_that_cannot_be_counted_lasts_as_its_weights_and_inputs_do_and_says_so() -> None:
    held = Held(neuron_models.Small(), name="Odd")
    held.inputs = lambda: [torch.zeros(ROWS, 1, device="meta")]  # type: ignore[method-assign]  # no shape that fits
    with pytest.warns(UserWarning, match=r"^Odd could not be counted \("):
        (stage,) = program(held).stages
    assert stage == costs.Cost(weight_bytes=(("float32", 4 * 4 * 42),), moved_bytes=4 * ROWS)
