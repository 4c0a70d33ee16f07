import json

import pytest
import torch

from neuronspan_runtime.compiling import analysis
from neuronspan_runtime.compiling.partitions import operator_support


class Perceptron(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:2]:
            values = torch.relu(layer(values))
        last: torch.Tensor = self.layers[2](values)
        return last.log_softmax(dim=1)


def spectrum(values: torch.Tensor) -> torch.Tensor:
    transformed: torch.Tensor = torch.fft.fft(values)
    return transformed


def test_analyze_counts_the_supported_operators() -> None:
    answer = analysis.analyze(Perceptron().eval(), torch.rand(2, 4))
    assert list(answer) == [
        "torch_neuronx_version", "neuronx_cc_version", "support_percentage", "supported_operators",
        "unsupported_operators",
    ]  # fmt: skip
    assert answer["support_percentage"] == "100.00%"
    assert answer["supported_operators"] == {"aten::linear": 3, "aten::relu": 2, "aten::log_softmax": 1}
    assert answer["unsupported_operators"] == []


def test_analyze_shows_where_an_unsupported_operator_is_called() -> None:
    answer = analysis.analyze(spectrum, torch.arange(4))
    assert (answer["support_percentage"], answer["supported_operators"]) == ("0.00%", {})
    (found,) = answer["unsupported_operators"]
    assert (found["kind"], found["failureAt"]) == ("aten::fft_fft", "neuronx-cc")
    assert found["call"].splitlines()[0].endswith(": spectrum")
    assert "aten::fft_fft" in found["opGraph"]
    assert json.loads(json.dumps(answer)) == answer


def test_analyze_leaves_out_what_it_is_told_to_ignore() -> None:
    answer = analysis.analyze(spectrum, torch.arange(4), additional_ignored_ops={"aten::fft_fft"})
    assert (answer["support_percentage"], answer["unsupported_operators"]) == ("100.00%", [])


@pytest.mark.parametrize(
    ("kind", "fails_at"),
    [
        ("aten::relu", ""),
        ("aten::relu_", ""),
        ("aten::sort", "neuronx-cc"),
        ("aten::fft_irfft2", "neuronx-cc"),
        ("aten::nonzero", "Lowering to HLO"),
        ("aten::masked_select", "Lowering to HLO"),
    ],
)
def test_support_is_what_the_documentation_says(kind: str, fails_at: str) -> None:
    assert operator_support.support_of(kind) == operator_support.Support(not fails_at, fails_at)


def test_supported_operations_are_a_sorted_list_of_names() -> None:
    names = analysis.get_supported_operations()
    assert names == sorted(names)
    assert {"aten::linear", "aten::add", "aten::conv2d"} <= set(names)
    assert not {"aten::sort", "aten::nonzero"} & set(names)
