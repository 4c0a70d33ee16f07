"""A model that lives on the device is compiled there: it computes what it does on the CPU, and stays where it was."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes

PACKAGES: dict[str, Any] = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
ROWS, WIDTH = 3, 6

shared_scale = torch.full((WIDTH,), 2.0)
"""A variable that a function below names; a test moves it to the device."""


class Everything(torch.nn.Module):
    """Tensors of all kinds: tied weights, a buffer and a view of it, a plain attribute, a device that it asks for."""

    def __init__(self, *, writes: bool) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.writes = writes
        self.first = torch.nn.Linear(WIDTH, WIDTH)
        self.second = torch.nn.Linear(WIDTH, WIDTH)
        self.second.weight = self.first.weight
        self.norm = torch.nn.BatchNorm1d(WIDTH)
        self.register_buffer("steps", torch.arange(float(WIDTH)))
        self.plain = [torch.ones(WIDTH)]
        self.steps: torch.Tensor
        self.recent: torch.Tensor

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.writes:
            self.recent.add_(1)
        ramp = torch.arange(WIDTH, device=self.plain[0].device).to(self.plain[0].device)
        hidden = self.norm(self.second(torch.relu(self.first(values)))) * self.steps
        kept = self.plain[0].add_(1) if self.writes else self.plain[0] + 1
        return hidden + ramp + self.plain[0], kept.expand(ROWS, WIDTH)


def everything(device: str, writes: bool) -> Everything:
    model = Everything(writes=writes).to(device)
    model.register_buffer("recent", model.steps[1:3])  # shares bytes, which a move of the module would end
    model.plain = [model.plain[0].to(device)]
    return model


def _equal(one: torch.Tensor, other: torch.Tensor, *, by_torch: bool) -> bool:
    """Whether two results are equal; what torch runs itself, the part that is not compiled, it may fuse and round anew.

    torch 2.6 does with batch norm in training, from the second call on: a result is one unit of the last place off.
    """
    return torch.allclose(one, other, rtol=1e-6, atol=1e-6) if by_torch else torch.equal(one, other)


def compiled_there(package: str, module_on: str, example_on: str, training: bool, options: dict[str, Any]) -> list[str]:
    """Compile the model on a device; return what is not as on the CPU, or not as it was."""
    example = torch.linspace(-1, 1, ROWS * WIDTH).reshape(ROWS, WIDTH)
    writes = "compiler_args" not in options  # stages share no buffers
    expected = everything("cpu", writes).train(training)(example.clone())
    model = everything(module_on, writes).train(training)
    held = dict(model.named_parameters()) | dict(model.named_buffers())
    before = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    traced = PACKAGES[package].trace(model, example.to(example_on), **options)
    found = []
    for device in ("cpu", "neuron:0"):
        results = [traced(example.to(device)) for _ in range(2)]
        pairs = [pair for result in results for pair in zip(result, expected, strict=True)]
        if not all(_equal(one.cpu(), other, by_torch="op_whitelist" in options) for one, other in pairs):
            found.append(f"results for inputs on {device}")
    after = dict(model.named_parameters()) | dict(model.named_buffers())
    found += [f"{name} is another tensor" for name, value in held.items() if after[name] is not value]
    found += [
        f"{name} changed" for name, value in model.state_dict().items() if not torch.equal(value.cpu(), before[name])
    ]
    found += [
        f"{name} is on {value.device}" for name, value in after.items() if value.device != torch.device(module_on)
    ]
    if model.first.weight is not model.second.weight or not torch.equal(model.plain[0].cpu(), torch.ones(WIDTH)):
        found.append("the model's own ties and attributes")
    return found


@pytest.mark.parametrize("example_on", ["cpu", "neuron:1"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("package", "options"),
    [
        pytest.param("torch_neuronx", {}, id="torch_neuronx"),
        pytest.param("torch_neuron", {}, id="torch_neuron"),
        pytest.param("torch_neuron", {"compiler_args": "--neuroncore-pipeline-cores 2"}, id="pipelined"),
        pytest.param("torch_neuron", {"op_whitelist": {"aten::linear"}, "minimum_segment_size": 1}, id="partitioned"),
    ],
)
def test_module_on_the_device_is_compiled_and_stays_there(
    package: str,
    options: dict[str, Any],
    training: bool,
    example_on: str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, compiled_there, package, "neuron:1", example_on, training, options) == []


def scaled(values: torch.Tensor) -> torch.Tensor:
    return values * shared_scale


def named(values: torch.Tensor) -> torch.Tensor:
    return values + torch.ones(WIDTH, device="neuron:0")


def kept_elsewhere(package: str) -> list[bool]:
    """A variable on the device, a scripted module there, and one that a function closes over."""
    global shared_scale  # noqa: PLW0603 - that a function names a variable is the case
    example, layer = torch.ones(2, WIDTH), torch.nn.Linear(WIDTH, WIDTH)
    script: Callable[..., Any] = torch.jit.script
    expected = [example * 2, layer(example), layer(example) + 1, example + 1]
    shared_scale = shared_scale.to("neuron:0")
    layer.to("neuron:0")
    models = [scaled, script(layer), lambda values: layer(values) + 1, named]
    traces = [PACKAGES[package].trace(model, example.to("neuron:0")) for model in models]
    return [torch.equal(traced(example), value) for traced, value in zip(traces, expected, strict=True)]


@pytest.mark.parametrize("package", PACKAGES)
def test_tensors_on_the_device_are_found_wherever_they_are_kept(
    package: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, kept_elsewhere, package) == [True] * 4


def states_and_weights() -> list[Any]:
    """Weights outside, and a state, of a module on the device."""

    class Counting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)
            self.register_buffer("count", torch.zeros(2))
            self.count: torch.Tensor

        def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.layer(values) * 0 + self.count, self.count + 1

    model = Counting().to("neuron:2")
    traced = torch_neuronx.trace(
        model, torch.zeros(2), input_output_aliases={model.count: 1}, inline_weights_to_neff=False
    )
    found = [traced(torch.zeros(2)).tolist() for _ in range(2)]
    torch_neuronx.replace_weights(traced, model)
    return [*found, str(model.count.device), model.count.tolist()]


def test_states_and_weights_of_a_module_on_the_device(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, states_and_weights) == [[0.0, 0.0], [1.0, 1.0], "neuron:2", [0.0, 0.0]]


class Failing(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        raise ValueError(f"not today: {self.layer(values).shape}")


def failed() -> tuple[str, str, bool]:
    model = Failing().to("neuron:0")
    weight = model.layer.weight
    with pytest.raises(ValueError, match="not today") as raised:
        torch_neuronx.trace(model, torch.ones(1, 2))
    return str(raised.value), str(model.layer.weight.device), model.layer.weight is weight


def test_module_is_on_its_device_again_after_an_error_of_its_own(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, failed) == ("not today: torch.Size([1, 2])", "neuron:0", True)


def trained_then_compiled() -> bool:
    """The shape of a notebook: train on the device, compile, save, go on training."""
    model, example = neuron_models.Small().to("neuron:0"), neuron_models.example()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        model(example.to("neuron:0")).sum().backward()
        optimizer.step()

    step()
    traced = torch_neuronx.trace(model, example)
    expected = neuron_models.Small()
    expected.load_state_dict(model.state_dict())
    with torch.no_grad():
        right = torch.equal(traced(example), expected(example))
    step()
    return right and not torch.equal(next(model.parameters()).cpu(), next(expected.parameters()))


def test_training_goes_on_after_compiling(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, trained_then_compiled)
