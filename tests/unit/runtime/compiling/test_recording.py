"""A compiled program has no effect but its outputs and its states, and tracing it has none at all."""

import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.compiled import writing_models
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors
from neuronspan_runtime.compiling import tracing
from neuronspan_runtime.compiling.recording import recorder

CALLS = 20

Call = Callable[[torch.Tensor], Any]


def inferentia(model: torch.nn.Module) -> Call:
    return torch_neuron.trace(model, writing_models.example())


def trainium(model: torch.nn.Module) -> Call:
    return torch_neuronx.trace(model, writing_models.example())


def outside(model: torch.nn.Module) -> Call:
    return torch_neuronx.trace(model, writing_models.example(), inline_weights_to_neff=False)


def dynamic(model: torch.nn.Module) -> Call:
    return torch_neuronx.dynamic_batch(torch_neuronx.trace(model, writing_models.example()))


def parallel(model: torch.nn.Module) -> Call:
    found: Call = torch_neuronx.DataParallel(torch_neuronx.trace(model, writing_models.example()), [0, 1])
    return found


def pipelined(model: torch.nn.Module) -> Call:
    return torch_neuron.trace(model, writing_models.example(), compiler_args="--neuroncore-pipeline-cores 2")


def partitioned(model: torch.nn.Module) -> Call:
    return torch_neuron.trace(model, writing_models.example(), op_whitelist={"aten::linear"}, minimum_segment_size=1)


def on_the_host(model: torch.nn.Module) -> Call:
    return tracing.trace_for_host(model, writing_models.example())


MODES = (inferentia, trainium, outside, dynamic, parallel, pipelined, partitioned)
IN_TWO = ("dynamic", "parallel")
"""Modes that take twice the rows, and compute each half in a call of its own."""


def differences(mode: Callable[[torch.nn.Module], Call], device: str) -> list[str]:
    """Call every model twenty times with one tensor, and return what was not as with a fresh one."""
    rows = 2 if mode.__name__ in IN_TWO else 1
    refused = {"SharedBuffers"} if mode.__name__ == "outside" else set()
    names = [name for name in writing_models.KINDS if name not in refused]
    return [found for name in names for found in differences_of(name, mode, device, rows)]


def differences_of(
    name: str, mode: Callable[[torch.nn.Module], Call], device: str = "cpu", times: int = 1
) -> list[str]:
    model = writing_models.made(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    traced = mode(model)
    found = []
    if not all(torch.equal(value, before[key]) for key, value in model.state_dict().items()):
        found.append(f"{name}: tracing changed the model")
    if bool(writing_models.captured.any()) or bool(model.plain[0].any()):
        found.append(f"{name}: tracing changed a variable")
    given = writing_models.example(seed=1).repeat(times, 1).to(device)
    kept, expected = given.cpu().clone(), writing_models.fresh(name, given[: writing_models.ROWS].cpu())
    for call in range(CALLS):
        outputs = traced(given)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        parts = [[one.cpu()[at : at + writing_models.ROWS] for one in outputs] for at in range(0, len(given), 2)]
        if not all(all(map(torch.equal, part, expected)) for part in parts):
            found.append(f"{name}: call {call} is another one")
            break
    if not torch.equal(given.cpu(), kept):
        found.append(f"{name}: a call changed its input")
    return found


@pytest.mark.parametrize("name", [*writing_models.KINDS, *writing_models.UNFOLDED])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_part_that_stays_on_the_host_computes_the_same_in_every_call(name: str) -> None:
    assert differences_of(name, on_the_host) == []


@pytest.mark.parametrize(
    ("mode", "device"),
    [
        pytest.param(mode, device, id=f"{mode.__name__}-{device}")
        for mode in MODES
        for device in ("cpu", "neuron:0")
        if device == "cpu" or mode is not parallel  # which takes what is on the CPU
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_call_is_the_first(
    mode: Callable[[torch.nn.Module], Call], device: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, differences, mode, device) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_call_of_an_unfolded_model_is_the_first(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    for name in writing_models.UNFOLDED:
        assert processes.run(machine, differences_of, name, trainium) == []


def nodes_of(model: torch.nn.Module) -> list[str]:
    traced = tracing.trace_for_host(model, writing_models.example())
    return [node.kind() for node in traced.inlined_graph.nodes()]


def test_a_model_that_writes_into_its_own_values_only_is_recorded_as_it_is() -> None:
    assert "aten::clone" not in nodes_of(writing_models.made("Writing"))
    assert nodes_of(writing_models.made("Counter")).count("aten::clone") == 1


def test_dropout_that_drops_nothing_is_no_operation_where_its_result_is_written() -> None:
    assert "aten::dropout" not in nodes_of(writing_models.made("Dropped"))

    def dropped(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(values, training=False) * 2

    recorded = tracing.trace_for_host(dropped, torch.ones(2))
    assert "aten::dropout" in [node.kind() for node in recorded.inlined_graph.nodes()]


def test_dropout_that_drops_is_kept() -> None:
    def dropped(values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(values, training=True).mul_(2)

    assert (tracing.trace_for_host(dropped, torch.ones(64))(torch.ones(64)) == 0).any()


def test_data_that_is_read_is_that_of_the_call() -> None:
    def doubled(values: torch.Tensor) -> torch.Tensor:
        return values.data * 2

    assert tracing.trace_for_host(doubled, torch.zeros(2))(torch.ones(2)).tolist() == [2, 2]


class Odd(torch.nn.Module):
    """Has tensors whose numbers cannot be compared or copied one by one."""

    def __init__(self) -> None:
        super().__init__()
        one = torch.zeros(1)
        self.register_buffer("wide", one.expand(3))
        self.register_buffer("one", one)
        self.register_buffer("conjugate", torch.full((3,), 1j).conj())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantization moves to another package
            self.register_buffer("quantized", torch.quantize_per_tensor(torch.ones(3), 0.5, 0, torch.qint8))
        self.wide: torch.Tensor
        self.one: torch.Tensor
        self.conjugate: torch.Tensor
        self.quantized: torch.Tensor

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self.one.add_(1)
        self.conjugate.mul_(1j)
        return values + self.wide + self.conjugate.real + self.quantized.dequantize()


def test_tensors_of_any_kind_are_put_back() -> None:
    odd = Odd()
    traced = tracing.trace_for_host(odd, torch.zeros(3))
    assert [traced(torch.zeros(3)).tolist() for _ in range(2)] == [[3, 3, 3]] * 2
    assert (odd.wide.tolist(), odd.conjugate.tolist()) == ([0, 0, 0], [-1j, -1j, -1j])


def host_results(values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return kept, kept[1:], values, values.t(), values * 2


kept = torch.ones(3)
"""A variable that the function above returns."""


def test_results_of_the_host_are_the_callers_own() -> None:
    for made in (
        tracing.trace_for_host(host_results, torch.zeros(2, 3)),
        torch_neuron.trace(host_results, torch.zeros(2, 3), op_whitelist=set()),
    ):
        given = torch.ones(2, 3)
        for _ in range(2):
            results = made(given)
            assert [float(one.sum()) for one in results] == [3, 2, 6, 6, 12]
            for one in results:
                one.zero_()
    assert (given.sum().item(), kept.sum().item()) == (6, 3)


def test_buffers_that_share_bytes_are_copied_once() -> None:
    assert nodes_of(writing_models.made("SharedBuffers")).count("aten::clone") == 1


def test_the_example_stays_what_it_was() -> None:
    example = writing_models.example()
    tracing.trace_for_host(writing_models.made("Input"), example)
    assert torch.equal(example, writing_models.example())


def test_an_example_that_torch_lets_nobody_write_is_enough() -> None:
    """Tensors of inference mode refuse what the model writes into its input."""
    with torch.inference_mode():
        example = writing_models.example()
    traced = tracing.trace_for_host(writing_models.made("Input"), example)
    assert torch.equal(traced(writing_models.example()), writing_models.made("Input")(writing_models.example()))


def test_one_tensor_given_twice_is_two_inputs() -> None:
    def difference(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first - 2 * second

    one = writing_models.example()
    traced = tracing.trace_for_host(difference, (one, one))
    assert torch.equal(traced(one, one + 1), one - 2 * (one + 1))


def test_weights_outside_that_share_bytes_are_not_written() -> None:
    with pytest.raises(errors.TraceRefused, match=r"history and recent share memory, and the model writes into it"):
        outside(writing_models.made("SharedBuffers"))


class Hidden:
    """Keeps a tensor where nobody finds it."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = torch.zeros(3)


def test_a_tensor_that_cannot_be_found_is_not_written() -> None:
    hidden = Hidden()

    def counted(values: torch.Tensor) -> torch.Tensor:
        return values + hidden.value.add_(1)

    with pytest.raises(errors.TraceRefused, match=r"writes into a tensor of shape \[3\].*make it a buffer"):
        tracing.trace_for_host(counted, torch.ones(3))


class Remembering(torch.nn.Module):
    """Sets an attribute in each call, which only a TorchScript module can keep."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.zeros(3)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        result = values + self.last
        self.last = values
        return result


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_module_that_sets_an_attribute_is_refused() -> None:
    scripted: Any = torch.jit.script(Remembering())
    with pytest.raises(errors.TraceRefused, match="sets its attribute last"):
        tracing.trace_for_host(scripted, torch.ones(3))


class Filling(torch.nn.Module):
    """Writes into both of its inputs."""

    def forward(self, values: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        state.copy_(values.add_(1))
        return values * 2


def test_of_the_inputs_only_states_are_written() -> None:
    values, state = torch.zeros(2), torch.zeros(2)
    recorder.recorded(Filling(), [torch.zeros(2), torch.zeros(2)], states=1)(values, state)
    assert values.tolist() == [0, 0]
    assert state.tolist() == [1, 1]


def counting_state(path: pathlib.Path) -> list[list[float]]:
    """A declared state goes on from call to call; the counter beside it does not."""

    class Both(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("kept", torch.zeros(1))
            self.register_buffer("lost", torch.zeros(1))
            self.kept: torch.Tensor
            self.lost: torch.Tensor

        def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            self.lost.add_(1)
            return values + self.kept + self.lost, self.kept + 1

    model = Both()
    traced = torch_neuronx.trace(model, torch.zeros(1), input_output_aliases={model.kept: 1})
    traced.save(path / "model.pt")
    loaded = neuron_models.jit_load(path / "model.pt")
    return [[float(one(torch.zeros(1))) for _ in range(3)] for one in (traced, loaded)]


def test_states_are_written_and_nothing_else(
    tmp_path: pathlib.Path, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, counting_state, tmp_path) == [[1.0, 2.0, 3.0]] * 2
