"""`torch.autocast("neuron")` casts what CUDA's autocast casts, in the ways that PyTorch's manual tells."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from kits.device import autocast_calls, neuron_processes

FIRST = "neuron:0"
TYPES = [torch.float16, torch.bfloat16]

untyped: Any = torch
"""torch, where it has no types of its own."""

Types = dict[str, torch.dtype]


def types_of_results(dtype: torch.dtype) -> Types:
    """The type of every call's result under autocast; of what takes two types, in both orders and with one only."""
    warnings.filterwarnings("ignore", "torch.chain_matmul is deprecated")  # and listed all the same
    full, lower = (autocast_calls.Given(each, FIRST) for each in (torch.float32, dtype))
    with torch.autocast("neuron", dtype=dtype):
        found = {name: call(full).dtype for name, call in autocast_calls.LOWER_PRECISION.items()}
        found |= {name: call(lower).dtype for name, call in autocast_calls.FLOAT32.items()}
        for name, pair in autocast_calls.WIDEST.items():
            found[f"{name} of both"] = pair(full, lower).dtype
            found[f"{name} of both, turned"] = pair(lower, full).dtype
            found[f"{name} of the lower"] = pair(lower, lower).dtype
    return found


@pytest.fixture(scope="module")
def found(processes: neuron_processes.Parent) -> dict[torch.dtype, Types]:
    environment = {"NEURON_RT_NUM_CORES": "1"}
    return {dtype: processes.run(environment, types_of_results, dtype) for dtype in TYPES}


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", autocast_calls.LOWER_PRECISION)
def test_autocast_computes_in_the_lower_precision(
    name: str, dtype: torch.dtype, found: dict[torch.dtype, Types]
) -> None:
    assert found[dtype][name] == dtype


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", autocast_calls.FLOAT32)
def test_autocast_computes_in_float32(name: str, dtype: torch.dtype, found: dict[torch.dtype, Types]) -> None:
    assert found[dtype][name] == torch.float32


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("name", autocast_calls.WIDEST)
def test_autocast_computes_in_the_widest_type(name: str, dtype: torch.dtype, found: dict[torch.dtype, Types]) -> None:
    mixed = {found[dtype][f"{name} of both"], found[dtype][f"{name} of both, turned"]}
    assert (mixed, found[dtype][f"{name} of the lower"]) == ({torch.float32}, dtype)


def operators_with_a_kernel(key: str) -> list[str]:
    names = untyped._C._dispatch_get_all_op_names()
    return [name for name in names if untyped._C._dispatch_has_kernel_for_dispatch_key(name, key)]


def it_has_kernels_for_the_operators_that_cuda_has_them_for() -> None:
    cuda = {name for name in operators_with_a_kernel("AutocastCUDA") if "cudnn" not in name}
    here = {name for name in operators_with_a_kernel("AutocastPrivateUse1") if name.startswith("aten::")}
    assert len(cuda) > 100
    assert here == cuda


def only_what_can_be_cast_is() -> None:
    doubles, host = torch.ones(2, 2, device=FIRST, dtype=torch.float64), torch.ones(2, 2)
    numbers = torch.ones(4, dtype=torch.long, device=FIRST)
    with torch.autocast("neuron", dtype=torch.float16):
        assert (doubles @ doubles).dtype == torch.float64
        assert (host @ host).dtype == torch.float32
        assert numbers.sum().dtype == torch.int64
        assert functional.softmax(host.half(), 1).dtype == torch.float16
        assert torch.sum(host.to(FIRST, torch.float16), 1, dtype=torch.float16).dtype == torch.float16


def regions_nest_and_end() -> None:
    matrix = torch.ones(4, 4, device=FIRST)
    seen = []
    with torch.autocast("neuron", dtype=torch.float16):
        seen.append((matrix @ matrix).dtype)
        with torch.autocast("neuron", dtype=torch.bfloat16):
            seen.append((matrix @ matrix).dtype)
            with torch.autocast("neuron", enabled=False):
                seen.append((matrix @ matrix).dtype)
            seen.append((matrix @ matrix).dtype)
        seen.append((matrix @ matrix).dtype)
    seen.append((matrix @ matrix).dtype)
    half, brain, full = torch.float16, torch.bfloat16, torch.float32
    assert seen == [half, brain, full, brain, half, full]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (matrix @ matrix).dtype == torch.float32
    assert not torch.is_autocast_enabled("neuron")


def casts_behind(*results: Any) -> int:
    """How many casts autograd remembers behind results."""
    found, ahead = set(), [result.grad_fn for result in results]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in found:
            found.add(node)
            ahead.extend(following for following, _ in node.next_functions)
    return sum(node.name().startswith("ToCopyBackward") for node in found)


def a_weight_is_cast_once_for_a_region() -> None:
    layer: Any = nn.Linear(4, 4, bias=False).to(FIRST)
    values, counts = torch.ones(2, 4, device=FIRST, dtype=torch.float16), []
    for cached in (True, False):
        with torch.autocast("neuron", dtype=torch.float16, cache_enabled=cached):
            results: Any = [layer(values) for _ in range(3)]
        counts.append(casts_behind(*results))
        layer.weight.grad = None
        sum(results).float().sum().backward()
        assert layer.weight.grad.dtype == torch.float32
        assert layer.weight.grad.tolist() == [[6.0] * 4] * 4
        with torch.no_grad():
            layer.weight.mul_(2)
        with torch.autocast("neuron", dtype=torch.float16):
            assert torch.equal(layer(values), results[0] * 2)  # the region's cast ended with it
    assert counts == [1, 3]


def own_functions_are_told_of_it() -> None:
    seen: list[tuple[torch.dtype, bool]] = []

    def note(values: torch.Tensor) -> None:
        seen.append((values.dtype, torch.is_autocast_enabled("neuron")))

    def product(prepared: Callable[..., Any]) -> Any:
        def forward(ctx: Any, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
            note(one)
            ctx.save_for_backward(one, other)
            return one @ other

        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            note(gradient)
            one, other = ctx.saved_tensors
            return gradient @ other.t(), one.t() @ gradient

        restored = untyped.amp.custom_bwd(backward, device_type="neuron")
        methods = {"forward": staticmethod(prepared(forward)), "backward": staticmethod(restored)}
        return type("Product", (torch.autograd.Function,), methods)

    prepare = functools.partial(untyped.amp.custom_fwd, device_type="neuron")
    plain, cast = product(prepare), product(functools.partial(prepare, cast_inputs=torch.float32))
    one = torch.ones(3, 3, device=FIRST, requires_grad=True)
    for function, dtype, value in ((plain, torch.float16, one), (cast, torch.float32, one.half())):
        with torch.autocast("neuron", dtype=torch.float16):
            result: Any = function.apply(value, one)
        assert result.dtype == dtype
        result.sum().backward()
    half, full = torch.float16, torch.float32
    assert seen == [(full, True), (half, True), (full, False), (full, False)]


def what_torch_refuses_is_refused_in_its_words() -> None:
    chances, labels = torch.full((2, 2), 0.5, device=FIRST), torch.ones(2, 2, device=FIRST)
    with torch.autocast("neuron"), pytest.raises(RuntimeError, match="unsafe to autocast"):
        functional.binary_cross_entropy(chances, labels)
    with torch.autocast("neuron"), torch.autocast("neuron", enabled=False):
        assert functional.binary_cross_entropy(chances, labels).dtype == torch.float32


def layers_train(dtype: torch.dtype) -> None:
    made = (nn.LSTM(8, 8), nn.GRU(8, 8), nn.RNN(8, 8), nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0))
    for module in made:
        layer: Any = module.to(FIRST)
        with torch.autocast("neuron", dtype=dtype):
            result = layer(torch.ones(5, 2, 8, device=FIRST))
            result = result[0] if isinstance(result, tuple) else result
            loss: Any = functional.mse_loss(result, torch.zeros_like(result))
        assert loss.dtype == torch.float32
        loss.backward()
        assert {weight.grad.dtype for weight in layer.parameters()} == {torch.float32}
        assert all(weight.grad.isfinite().all() for weight in layer.parameters())


@pytest.mark.parametrize(
    "scenario",
    [
        it_has_kernels_for_the_operators_that_cuda_has_them_for,
        only_what_can_be_cast_is,
        regions_nest_and_end,
        a_weight_is_cast_once_for_a_region,
        own_functions_are_told_of_it,
        what_torch_refuses_is_refused_in_its_words,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_autocast(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_autocast_trains_recurrent_layers_and_transformers(
    dtype: torch.dtype, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, layers_train, dtype)
