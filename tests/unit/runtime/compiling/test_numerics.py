"""What NEURONSPAN_NUMERICS makes of `trace` in both packages: the CPU's numbers, or those of the compilers' casts."""

import io
import json
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_processes
from neuronspan_runtime.models import model as models

Numbers = list[list[float]]
_BF16_UNIT = 2.0**-8
"""Largest relative error of one rounding to 8 significant bits."""


class Classifier(torch.nn.Module):
    """A matrix product with a bias, and an operation that no matrix engine computes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(-1, 1, 24).reshape(4, 6).sin())
        self.bias = torch.nn.Parameter(torch.linspace(0.1, 0.7, 4))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(values, self.weight, self.bias) * 0.3


def example() -> torch.Tensor:
    return torch.linspace(-2, 2, 18).reshape(3, 6).cos()


def low(values: torch.Tensor, kind: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return values.to(kind).float()


def expected(casts: str) -> torch.Tensor:
    """What explicit casts give."""
    model, values = Classifier(), example()
    scope, _, name = casts.partition("-")
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16, "": torch.float32}[name]
    weight, values = low(model.weight.detach(), kind), low(values, kind)
    bias = model.bias.detach()
    if scope == "matmult":
        return torch.nn.functional.linear(values, weight, bias) * 0.3
    return low(torch.nn.functional.linear(values, weight, low(bias, kind)), kind) * 0.3


def traced(package: str, options: dict[str, Any]) -> tuple[Numbers, str | None]:
    """Trace, save, load and run; return the numbers and the casts that the metadata tell."""
    trace: Any = torch_neuron.trace if package == "torch_neuron" else torch_neuronx.trace
    made = trace(Classifier().eval(), example(), **options)
    file = io.BytesIO()
    torch.jit.save(made, file)
    file.seek(0)
    load: Any = torch.jit.load
    model = load(file)
    with torch.no_grad():
        numbers: Numbers = model(example()).tolist()
    (held,) = models.models_of(model)
    return numbers, json.loads(held.metadata()).get("casts")


NX, N1 = "torch_neuronx", "torch_neuron"


@pytest.mark.parametrize(
    ("package", "options", "casts"),
    [
        pytest.param(NX, {}, "matmult-bf16", id="default of neuronx-cc"),
        pytest.param(NX, {"compiler_args": "--auto-cast none"}, None, id="none"),
        pytest.param(NX, {"compiler_args": ["--auto-cast", "all"]}, "all-bf16", id="all"),
        pytest.param(NX, {"compiler_args": "--auto-cast-type=fp16"}, "matmult-fp16", id="another type"),
        pytest.param(NX, {"inline_weights_to_neff": False}, "matmult-bf16", id="weights outside"),
        pytest.param(NX, {"partitioner_config": torch_neuronx.PartitionerConfig(ops_to_partition={"aten::mul"})},
                     "matmult-bf16", id="in parts"),
        pytest.param(N1, {}, "all-bf16", id="default of neuron-cc"),
        pytest.param(N1, {"compiler_args": "--fast-math none"}, "matmult-bf16", id="fast math off"),
        pytest.param(N1, {"compiler_args": "--fast-math fp32-cast-matmult-fp16"}, "matmult-fp16", id="fast math"),
        pytest.param(N1, {"compiler_args": "--neuroncore-pipeline-cores 2 --fp32-cast matmult"}, "matmult-bf16",
                     id="pipelined"),
    ],
)  # fmt: skip
def test_traced_model_computes_with_the_casts_of_its_compiler(
    package: str,
    options: dict[str, Any],
    casts: str | None,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    numbers, told = processes.run(machine | {"NEURONSPAN_NUMERICS": "device"}, traced, package, options)
    assert told == casts
    assert torch.equal(torch.tensor(numbers), expected(casts or "matmult"))


@pytest.mark.parametrize("package", [NX, N1])
@pytest.mark.parametrize("variables", [{}, {"NEURONSPAN_NUMERICS": "exact"}])
def test_exact_numerics_are_the_cpus_and_read_no_casts(
    package: str, variables: dict[str, str], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    options = {"compiler_args": "--auto-cast colourful --fast-math colourful"}
    numbers, told = processes.run(machine | variables, traced, package, options)
    assert told is None
    with torch.no_grad():
        assert torch.equal(torch.tensor(numbers), Classifier()(example()))


def test_casts_differ_from_the_cpu_by_no_more_than_roundings_explain() -> None:
    model, values = Classifier(), example()
    with torch.no_grad():
        exact = model(values)
        largest = (values.abs() @ model.weight.abs().t()) * 0.3
    difference = (expected("matmult-bf16") - exact).abs()
    assert difference.max() > 0
    assert (difference <= largest * (2 * _BF16_UNIT + 2 * _BF16_UNIT**2)).all()


def refusal(package: str, arguments: str) -> str:
    trace: Any = torch_neuron.trace if package == "torch_neuron" else torch_neuronx.trace
    with pytest.raises(RuntimeError) as caught:
        trace(Classifier(), example(), compiler_args=arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("numerics", "package", "arguments", "message"),
    [
        ("device", NX, "--auto-cast fast", "--auto-cast fast is not one of none, matmult, all"),
        ("device", N1, "--fp32-cast fast",
         "--fp32-cast fast is not one of all, all-fp16, matmult, matmult-bf16, matmult-fp16"),
        ("bf16", NX, "", "NEURONSPAN_NUMERICS='bf16' is not exact or device"),
        ("bf16", N1, "", "NEURONSPAN_NUMERICS='bf16' is not exact or device"),
    ],
)  # fmt: skip
def test_trace_refuses_casts_and_numerics_that_there_are_not(
    numerics: str, package: str, arguments: str, message: str, processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:  # fmt: skip
    assert processes.run(machine | {"NEURONSPAN_NUMERICS": numerics}, refusal, package, arguments) == message
