"""What may be an input: what a list means, and a sentence with the way out for what cannot be one."""

import functools
import io
import warnings
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors

PACKAGES: dict[str, Any] = {"torch_neuronx": torch_neuronx, "torch_neuron": torch_neuron}
A, B = torch.rand(2, 3), torch.rand(3, 2)
RENAMED = (
    "The argument größe is called input0_ in the compiled model: TorchScript takes names of ASCII letters only. "
    "Rename it, or pass it by position"
)


def of_a_list(ab: list[torch.Tensor]) -> torch.Tensor:
    return ab[0] @ ab[1]


def of_two(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


def lists() -> list[Any]:
    """A list is one argument to torch_neuronx, and as many as it is long to torch_neuron; a tuple of one is one."""
    found = [
        torch_neuronx.trace(of_a_list, [A, B])([A, B]),
        torch_neuron.trace(of_two, [A, B])(A, B),
        torch_neuronx.trace(of_a_list, ([A, B],))([A, B]),
        torch_neuron.trace(of_a_list, ([A, B],))([A, B]),
    ]
    right = [torch.equal(one, A @ B) for one in found]
    share = torch_neuronx.analyze(of_a_list, [A, B])["support_percentage"]
    torch_neuron.analyze_model(of_two, [A, B])
    return [*right, share]


def test_list_is_what_each_package_takes_it_for(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, lists) == [True] * 4 + ["100.00%"]


def test_wrong_kind_of_example_says_which_kind_there_is() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument") as spread:
        torch_neuronx.trace(of_two, [A, B])
    assert spread.value.__notes__ == [
        "torch_neuronx.trace took the list of 2 for one argument: a tuple of its items is as many arguments"
    ]
    with pytest.raises(TypeError, match="positional argument") as whole:
        torch_neuron.trace(of_a_list, [A, B])
    assert whole.value.__notes__ == [
        "torch_neuron.trace took the list for 2 arguments: a tuple with the list in it is one argument"
    ]


def nothing(values: torch.Tensor) -> Any:
    return values


@pytest.mark.parametrize(
    ("example", "message"),
    [
        pytest.param((A, None), r"example input 1 is NoneType: .* Here, leave it out", id="none"),
        pytest.param((A, 3), r"example input 1 is int: .* Here, make it a tensor, or a constant", id="number"),
        pytest.param((A.to_sparse(),), r"example input 0 is a sparse_coo tensor: .* Use to_dense\(\)", id="sparse"),
        pytest.param(({"x": A.to_sparse()},), r"example input 0\['x'\] is a sparse_coo tensor", id="sparse in a dict"),
        pytest.param((torch.empty(2, device="meta"),), "example input 0 is on the device meta", id="meta"),
        pytest.param(({0: A},), r"example input 0 has the key 0, of type int: .* Use '0', or a tuple", id="int key"),
        pytest.param(([],), "example input 0 is an empty list.*leave it out", id="empty list"),
    ],
)
@pytest.mark.parametrize("package", PACKAGES)
def test_example_that_cannot_be_an_input_is_refused_with_a_way_out(package: str, example: Any, message: str) -> None:
    with pytest.raises(errors.TraceRefused, match=message):
        PACKAGES[package].trace(nothing, example)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param(lambda x: x.to_sparse(), r"the output is a sparse_coo tensor: .* Use to_dense\(\)", id="sparse"),
        pytest.param(lambda x: (x, None), r"the output\[1\] is NoneType: .* Here, leave it out", id="none"),
        pytest.param(lambda x: {0: x}, r"the output has the key 0, of type int", id="int key"),
        pytest.param(lambda x: (x, []), r"the output\[1\] is an empty list", id="empty list"),
    ],
)
@pytest.mark.parametrize("package", PACKAGES)
def test_output_that_cannot_be_one_is_refused_with_a_way_out(package: str, output: Any, message: str) -> None:
    with pytest.raises(errors.TraceRefused, match=message):
        PACKAGES[package].trace(output, A)


def calls() -> list[str]:
    traced: Any = torch_neuronx.trace(of_two, (A, B))
    texts = []
    for given in (A.to_sparse(), None):
        with pytest.raises(RuntimeError) as raised:
            traced(given, B)
        texts.append(str(raised.value))
    return texts


def test_call_with_a_sparse_tensor_or_none_says_what_to_do(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    sparse, none = processes.run(machine, calls)
    assert "Incorrect tensor layout at input tensor #0 (a): received a Sparse tensor. A compiled" in sparse
    assert "takes dense tensors: use to_dense()" in sparse
    assert "Incorrect input tensor #0 (a): received None, expected Float [2, 3]. A compiled model" in none
    assert "trace the model again without this input" in none


def beyond_ascii(package: str) -> list[Any]:
    """An argument and a key with other letters."""

    def umlauts(größe: torch.Tensor, input0: torch.Tensor) -> dict[str, torch.Tensor]:  # noqa: PLC2401 - the case
        return {"größe": größe + input0}

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        traced: Any = PACKAGES[package].trace(umlauts, (A, A))
    loaded = neuron_models.jit_load(io.BytesIO(traced.save_to_buffer()))
    result = loaded(A, input0=A)
    return [[str(one.message) for one in caught], list(result), torch.equal(result["größe"], A + A)]


@pytest.mark.parametrize("package", PACKAGES)
def test_names_beyond_ascii(package: str, processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, beyond_ascii, package) == [[RENAMED], ["größe"], True]


def bound() -> bool:
    """The way out for what is no tensor: bind it."""

    def scaled(values: torch.Tensor, factor: float, flag: bool | None) -> torch.Tensor:
        return values * factor if flag is None else values

    traced = torch_neuronx.trace(functools.partial(scaled, factor=2.0, flag=None), A)
    return torch.equal(traced(A), A * 2)


def test_what_is_no_tensor_is_bound(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    assert processes.run(machine, bound)
