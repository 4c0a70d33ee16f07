"""A compiled model takes the shapes and types it was traced with, and says which input is wrong, and how."""

import io
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes


class Scaled(torch.nn.Module):
    """Takes tensors in a tuple, and a number."""

    def forward(self, pair: tuple[torch.Tensor, torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
        return (pair[0] + pair[1]) * scale


def last_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[-1].removeprefix("RuntimeError: ")


def refusals(saved: bool) -> list[str]:
    """Call a compiled model, also one that was saved and loaded, in wrong ways; return the errors."""
    pair, scale = (torch.ones(2, 3), torch.ones(2, 3)), torch.tensor(2.0)
    traced: Any = torch_neuronx.trace(Scaled(), (pair, scale))
    if saved:
        file = io.BytesIO()
        neuron_networks.untyped.jit.save(traced, file)
        traced = neuron_models.jit_load(io.BytesIO(file.getvalue()))
    assert torch.equal(traced(pair, scale), torch.full((2, 3), 4.0))
    found = []
    for arguments in [
        ((torch.ones(2, 3), torch.ones(3, 3)), scale),
        ((torch.ones(2, 3), torch.ones(2, 3, 1)), scale),
        ((torch.ones(2, 3, dtype=torch.float64), torch.ones(2, 3)), scale),
        (pair, torch.ones(1)),
        ((torch.ones(2, 3, device="neuron:0"), torch.ones(2, 4, device="neuron:0")), scale),
    ]:
        with pytest.raises(RuntimeError) as raised:
            traced(*arguments)
        found.append(last_line(raised.value))
    return found


SHAPE = (
    "shapes it was traced with: pad the input, trace the model again, or, where only dim 0 differs, "
    "use dynamic batching"
)
TYPE = "types it was traced with: convert the input, or trace the model again"


@pytest.mark.parametrize("saved", [False, True])
def test_wrong_input_is_named_with_what_it_is_and_what_it_must_be(
    saved: bool, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, refusals, saved) == [
        f"Incorrect tensor {wrong}. A compiled model takes the {advice}"
        for wrong, advice in [
            ("shape at input tensor #1 (pair[1]): received Float [3, 3], expected Float [2, 3]", SHAPE),
            ("shape at input tensor #1 (pair[1]): received Float [2, 3, 1], expected Float [2, 3]", SHAPE),
            ("type at input tensor #0 (pair[0]): received Double [2, 3], expected Float [2, 3]", TYPE),
            ("shape at input tensor #2 (scale): received Float [1], expected Float []", SHAPE),
            ("shape at input tensor #1 (pair[1]): received Float [2, 4], expected Float [2, 3]", SHAPE),
        ]
    ]


def raw_call() -> list[str]:
    traced: Any = torch_neuronx.trace(Scaled(), ((torch.ones(2), torch.ones(2)), torch.ones(2)))
    with pytest.raises(RuntimeError) as too_few:
        torch.ops.neuron.forward_v2([torch.ones(2)], traced.neuron_model)
    with pytest.raises(RuntimeError) as unnamed:
        traced.neuron_model.set_signature([torch.ones(2)], [], 1, 0)
    with pytest.raises(RuntimeError) as too_many:
        traced.neuron_model.set_signature([torch.ones(2)], ["x"], 1, 1)
    return [str(one.value).splitlines()[0] for one in (too_few, unnamed, too_many)]


def test_wrong_number_of_tensors_is_refused(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, raw_call) == [
        "the compiled model takes 3 tensors, got 1",
        "a signature needs one name for each of 1 tensors, got 0",
        "a signature of 1 tensors cannot have 1 arguments and 1 states",
    ]


def cores_after_a_wrong_call() -> bool:
    traced: Any = torch_neuronx.trace(neuron_models.Small(), neuron_models.example(2))
    with pytest.raises(RuntimeError, match="Incorrect tensor shape"):
        traced(neuron_models.example(3))
    return bool(torch.ops.neuron.is_initialized())


def test_wrong_call_claims_no_core(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert not processes.run(machine, cores_after_a_wrong_call)
