"""input_output_aliases: parameters and buffers that calls write, and that stay where they are between calls."""

import pathlib
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks, neuron_processes

NAME = "input_output_aliases"
KEPT = "a state must keep its shape and type"
TOKENS = [torch.tensor([number]) for number in (3, 14, 15, 9)]


def generator(**options: Any) -> Any:
    module = neuron_networks.Generator()
    aliases = {module.keys: 1, module.position: 2}
    return torch_neuronx.trace(module, TOKENS[0], input_output_aliases=aliases, **options)


def on_the_cpu() -> tuple[list[torch.Tensor], neuron_networks.Generator]:
    """What the plain module answers, token by token, and how it looks afterwards."""
    module = neuron_networks.Generator()
    answers = []
    for token in TOKENS:
        answer, module.keys.data, module.position = neuron_networks.expected(module, token)
        answers.append(answer)
    return answers, module


def spoken(separate: bool, device: str) -> tuple[bool, list[bool], set[str], set[str]]:
    """Generate with states on the CPU or on a core, whatever the tokens are on."""
    traced = generator(inline_weights_to_neff=not separate)
    if device != "cpu":
        torch_neuronx.move_trace_to_device(traced, 1)
    answers = [traced(token.to(device)) for token in TOKENS]
    wanted, module = on_the_cpu()
    final = [
        neuron_networks.same(traced.states.keys, module.keys),
        neuron_networks.same(traced.states.position, module.position),
    ]
    states = {str(state.device) for state in traced.states.parameters()}
    return neuron_networks.same(answers, wanted), final, states, {str(one.device) for one in answers}


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("device", ["cpu", "neuron:1"])
def test_states_go_from_call_to_call_and_their_outputs_are_not_returned(
    separate: bool, device: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, spoken, separate, device) == (True, [True, True], {device}, {device})


def tokens_from_the_cpu() -> tuple[bool, set[str], int]:
    """States on a core, tokens on the CPU: the answers come back, the states do not."""
    traced = generator()
    torch_neuronx.move_trace_to_device(traced, 0)
    traced(TOKENS[0])
    copied = torch.ops.neuron.memory_stats(0)["device_to_host"]
    answers = [traced(token) for token in TOKENS[1:]]
    moved = torch.ops.neuron.memory_stats(0)["device_to_host"] - copied
    states = {str(state.device) for state in traced.states.parameters()}
    return neuron_networks.same(answers, on_the_cpu()[0][1:]), states, moved - sum(one.nbytes for one in answers)


def test_states_stay_on_the_device_when_the_inputs_are_on_the_cpu(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, tokens_from_the_cpu) == (True, {"neuron:0"}, 0)


def half_way(path: str) -> None:
    traced = generator()
    torch_neuronx.set_neuron_cores(traced, 2)
    for token in TOKENS[:2]:
        traced(token)
    traced.save(path)


def the_rest(path: str) -> bool:
    loaded = neuron_models.jit_load(path)
    torch_neuronx.set_neuron_cores(loaded, 5)
    return neuron_networks.same([loaded(token) for token in TOKENS[2:]], on_the_cpu()[0][2:])


def test_states_are_saved_as_they_are(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    path = str(tmp_path / "model.pt")
    processes.run(machine, half_way, path)
    assert processes.run(machine, the_rest, path)


class Entangled(torch.nn.Module):
    """Its states change places; one output is the old value of one of them, one a view of the new one."""

    left: torch.Tensor
    right: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("left", torch.zeros(2))
        self.register_buffer("right", torch.ones(2))

    def forward(self, values: torch.Tensor) -> dict[str, Any]:
        new = self.left + values
        return {"right": new, "old": self.left, "left": self.right, "new": new[:1]}


def entangled() -> list[list[float]]:
    module = Entangled()
    traced: Any = torch_neuronx.trace(module, torch.ones(2), input_output_aliases={module.left: 2, module.right: 0})
    result = traced(torch.full((2,), 5.0))
    assert list(result) == ["old", "new"]
    return [one.tolist() for one in (traced.states.left, traced.states.right, result["old"], result["new"])]


def test_outputs_are_values_from_before_the_states_are_written(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, entangled) == [[1, 1], [5, 5], [0, 0], [5]]


def called_twice() -> list[float]:
    """torch's optimizer must not think that two equal calls give equal results."""

    class Count(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.count = torch.nn.Parameter(torch.zeros(1))

        def forward(self, step: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.count + step, self.count + step

    module = Count()
    traced: Any = torch_neuronx.trace(module, torch.ones(1), input_output_aliases={module.count: 1})

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.counter = traced

        def forward(self, step: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.counter(step), self.counter(step)])

    program = neuron_networks.untyped.jit.script(Twice())
    return [number for _ in range(3) for number in program(torch.ones(1)).tolist()]


def test_equal_calls_are_not_merged(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, called_twice) == [1, 2, 3, 4, 5, 6]


def replicated() -> tuple[bool, list[int]]:
    """States are on the first replica's core: it alone answers."""
    traced = generator()
    torch_neuronx.set_neuron_cores(traced, 1, 3)
    right = neuron_networks.same([traced(token) for token in TOKENS], on_the_cpu()[0])
    return right, [torch.ops.neuron.memory_stats(core)["executions"] for core in range(1, 4)]


def test_model_with_states_is_answered_by_its_first_replica(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, replicated) == (True, [4, 0, 0])


def refusals() -> list[str]:
    module = neuron_networks.Generator()
    cases: list[Any] = [
        {torch.zeros(2): 1},
        {module.keys: 7},
        {module.keys: 0},
        {module.position: 1},
    ]
    found = []
    for aliases in cases:
        with pytest.raises(RuntimeError) as raised:
            torch_neuronx.trace(module, TOKENS[0], input_output_aliases=aliases)
        found.append(str(raised.value))
    only = torch.nn.Linear(1, 1)
    with pytest.raises(RuntimeError) as raised:
        torch_neuronx.trace(
            lambda values: only(values) * 0 + only.bias, torch.ones(1), input_output_aliases={only.bias: 0}
        )
    found.append(str(raised.value))
    with pytest.raises(RuntimeError) as raised:
        torch_neuronx.dynamic_batch(generator())
    assert isinstance(module.keys, torch.nn.Parameter)
    return [*found, str(raised.value).splitlines()[0]]


def test_aliases_are_checked(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, refusals) == [
        (
            f"{NAME}: key 0 is float32 [2], which is no parameter or buffer of the model: use the tensors that the "
            "module itself holds"
        ),
        f"{NAME} names output 7, but the model has 3",
        f"{NAME}: output 0 is float32 [1, 50], its state is float32 [1, 4, 8]: {KEPT}",
        f"{NAME}: output 1 is float32 [1, 4, 8], its state is int64 [1]: {KEPT}",
        f"{NAME} names every output of the model: it must return one more",
        f"dynamic batching is not for a model that keeps state between calls ({NAME})",
    ]
