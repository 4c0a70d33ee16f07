"""One model for several shapes: the kernel chooses, states are shared, the file carries everything."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors
from neuronspan_runtime.compiling import bucketing

script: Callable[[Callable[..., Any]], Any] = torch.jit.script
"""torch's own, with a type."""

LENGTHS = (4, 8)


def padded(tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Choose the first length that is long enough and fill up with zeros."""
    length = tensors[0].size(1)
    index = 0
    if length > 4:
        index = 1
    wanted = [4, 8][index]
    result: list[torch.Tensor] = []
    for tensor in tensors:
        zeros = torch.zeros([tensor.size(0), wanted - length], dtype=tensor.dtype)
        result.append(torch.cat([tensor, zeros], dim=1))
    return result, torch.tensor([index])


def kernel(*_: object) -> Any:
    return script(padded)


class Scores(torch.nn.Module):
    """[n, length], [n, length] -> ([n], [n, length]) for any length."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 8))

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weighted = values * mask * self.weight[: values.size(1)]
        return weighted.sum(1), weighted


def scores(**_: object) -> tuple[torch.nn.Module, dict[torch.Tensor, int]]:
    return Scores().eval(), {}


def inputs_of(length: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.linspace(0, 1, 2 * length).reshape(2, length), torch.ones(2, length)


def saved_and_loaded(module: Any) -> Any:
    stored = io.BytesIO()
    torch.jit.save(module, stored)
    stored.seek(0)
    return neuron_models.jit_load(stored)


def every_length_goes_to_the_bucket_that_is_long_enough() -> None:
    config = bucketing.BucketModelConfig(kernel, shared_state_buffer_preprocessor=lambda: script(last_columns))
    traced = bucketing.bucket_model_trace(scores, [inputs_of(length) for length in LENGTHS], config)
    for module in (traced, saved_and_loaded(traced)):
        for length, bucket in ((1, 4), (3, 4), (4, 4), (5, 8), (8, 8)):
            inputs = inputs_of(length)
            total, weighted = module(*inputs)
            whole = [torch.nn.functional.pad(tensor, (0, bucket - length)) for tensor in inputs]
            expected = Scores()(*whole)
            assert torch.equal(total, expected[0])
            assert torch.equal(weighted, expected[1])
        torch_neuronx.set_neuron_cores(module, 3, 1)
        assert [str(span) for span in neuronspan_runtime.placement(module)] == ["3", "3"]


class Cache(torch.nn.Module):
    """Adds its input to a state of its length; the second output is the next state."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.state = torch.nn.Parameter(torch.zeros(1, length), requires_grad=False)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        total = self.state + values
        return total.sum(1), total


def last_columns(shapes: list[list[list[int]]], states: list[torch.Tensor], bucket: torch.Tensor) -> list[torch.Tensor]:
    """Give each bucket the end of the states."""
    result: list[torch.Tensor] = []
    for index, shape in enumerate(shapes[int(bucket)]):
        whole = states[index]
        result.append(whole[:, whole.size(1) - shape[1] :])
    return result


def cache(length: int) -> tuple[torch.nn.Module, dict[torch.Tensor, int]]:
    made = Cache(length)
    return made, {made.state: 1}


def states_are_shared_between_the_buckets() -> None:
    config = bucketing.BucketModelConfig(
        kernel,
        shared_state_buffer=[torch.zeros(1, 8)],
        shared_state_buffer_preprocessor=lambda: script(last_columns),
        func_kwargs=[{"length": length} for length in LENGTHS],
    )
    traced = bucketing.bucket_model_trace(cache, [torch.ones(1, length) for length in LENGTHS], config)
    for module in (traced, saved_and_loaded(traced)):
        before = module.state_0.sum().item()
        assert module(torch.ones(1, 8)).item() == before + 8
        assert module(torch.ones(1, 4)).item() == (before + 8) / 2 + 4
        assert module.state_0.sum().item() == before + 12


@pytest.mark.parametrize(
    "scenario",
    [every_length_goes_to_the_bucket_that_is_long_enough, states_are_shared_between_the_buckets],
    ids=lambda scenario: scenario.__name__,
)
def test_bucketing(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)


def chosen_too_high(tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Choose a bucket that does not exist."""
    return tensors, torch.tensor([2])


def no_such_bucket() -> str:
    config = bucketing.BucketModelConfig(lambda: script(chosen_too_high))
    traced = bucketing.bucket_model_trace(scores, [inputs_of(length) for length in LENGTHS], config)
    try:
        traced(*inputs_of(4))
    except torch.jit.Error as error:
        return str(error)
    raise AssertionError("a bucket that does not exist was run")


def test_kernel_that_chooses_no_bucket_is_told_so(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert "the bucket kernel chose 2 of 2" in processes.run(machine, no_such_bucket)


class Changing(torch.nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, values: torch.Tensor, mask: torch.Tensor) -> Any:
        return values * mask if self.outputs == 1 else (values, mask + 1)


@pytest.mark.parametrize(
    ("func", "examples", "options", "message"),
    [
        pytest.param(scores, [inputs_of(4), torch.ones(2, 8)], {}, "the same number of inputs", id="number of inputs"),
        pytest.param(scores, [inputs_of(4), ["text"]], {}, "the inputs of bucket 1 are not tensors", id="no tensors"),
        pytest.param(scores, [inputs_of(4)], {"bucket_kernel": lambda: padded}, "bucket_kernel returned function",
                     id="kernel is no TorchScript"),
        pytest.param(lambda outputs: (Changing(outputs), {}), [inputs_of(4), inputs_of(8)],
                     {"func_kwargs": [{"outputs": 1}, {"outputs": 2}]}, "the buckets do not go together",
                     id="different outputs"),
        pytest.param(lambda: cache(4), [torch.ones(1, 4)], {"shared_state_buffer": [torch.ones(1)] * 2},
                     "a bucket has 1 states, shared_state_buffer has 2", id="another number of states"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_buckets_that_do_not_go_together_are_refused(
    func: Any, examples: list[Any], options: dict[str, Any], message: str
) -> None:
    config = bucketing.BucketModelConfig(**({"bucket_kernel": kernel} | options))
    with pytest.raises(errors.TraceRefused, match=message):
        bucketing.bucket_model_trace(func, examples, config)


def test_config_has_arguments_for_all_buckets_or_for_each() -> None:
    assert bucketing.BucketModelConfig(kernel).arguments_of(2) == [{}, {}]
    assert bucketing.BucketModelConfig(kernel, func_kwargs={"a": 1}).arguments_of(2) == [{"a": 1}] * 2
    with pytest.raises(ValueError, match="func_kwargs has 1 entries for 2 buckets"):
        bucketing.BucketModelConfig(kernel, func_kwargs=[{}]).arguments_of(2)
