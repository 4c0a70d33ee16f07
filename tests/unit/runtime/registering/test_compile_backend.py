"""`torch.compile` on tensors of a core: the backend, and what is said of the one that has no code for them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.registering import compile_backend


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 2))


def a_compiled_model_computes_and_learns_what_it_would() -> None:
    plain, compiled = network().to("neuron"), network().to("neuron")
    run: Any = torch.compile(compiled, backend=compile_backend.neuron, fullgraph=True)
    for size in (2, 3):
        given = torch.rand(size, 4, device="neuron")
        plain(given).sum().backward()
        run(given).sum().backward()
        assert torch.equal(plain(given), run(given))
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        assert one.grad is not None
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


def options_of_a_code_generator_are_taken() -> None:
    given = torch.rand(3, device="neuron")
    for options in ({"mode": "reduce-overhead"}, {"options": {"epilogue_fusion": True}}):
        run: Any = torch.compile(lambda x: x * 2 + 1, backend=compile_backend.neuron, **options)
        assert torch.equal(run(given), given * 2 + 1)


def inductor_names_the_way_out() -> None:
    run: Any = torch.compile(network().to("neuron"))
    with pytest.raises(Exception, match=r'inductor generates no code for NeuronCores: use backend="neuron"'):
        run(torch.rand(2, 4, device="neuron"))


@pytest.mark.parametrize(
    "scenario",
    [
        a_compiled_model_computes_and_learns_what_it_would,
        options_of_a_code_generator_are_taken,
        inductor_names_the_way_out,
    ],
)
def test_compile(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
