"""What `trace` says of its options: which it takes in silence, which it warns of, and which it refuses."""

import os
import pathlib
import warnings
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_processes

WRONG_COMPILER = (
    "RuntimeError: neuronx-cc failed with 2: --neuroncore-pipeline-cores belongs to Inf1, use torch_neuron.trace"
)
UNKNOWN_OPTIONS = "UserWarning: Unexpected keyword arguments: ['colour', 'speed']. torch_neuronx.trace ignores them"
BY_POSITION = "DeprecationWarning: Received 6 positional arguments but expected 2: name those after example_inputs"
NO_STATE = (
    "RuntimeError: input_output_aliases: key 0 is 'state', which is no parameter or buffer of the model: use the "
    "tensors that the module itself holds"
)


class Sum(torch.nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return first + second


def messages(package: str, positional: tuple[Any, ...], options: dict[str, Any], directory: pathlib.Path) -> list[str]:
    """Trace in this directory with these options; return the warnings, or the error."""
    os.chdir(directory)
    trace: Any = torch_neuron.trace if package == "torch_neuron" else torch_neuronx.trace
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            trace(Sum(), (torch.ones(2), torch.ones(2)), *positional, **options)
        except RuntimeError as error:
            return [f"RuntimeError: {error}"]
    return [
        f"{warning.category.__name__}: {warning.message}"
        for warning in caught
        if pathlib.Path(warning.filename) == pathlib.Path(__file__)
    ]


@pytest.mark.parametrize(
    ("package", "positional", "options", "expected"),
    [
        pytest.param("torch_neuron", (), {"fallback": False, "dynamic_batch_size": True, "compiler_timeout": 60}, [],
                     id="known options of torch_neuron"),
        pytest.param("torch_neuron", (), {"speed": 11},
                     ["UserWarning: Unexpected keyword arguments: ['speed']. torch_neuron.trace ignores them"],
                     id="unknown option"),
        pytest.param("torch_neuron", (), {"compiler_args": "--neuroncore-pipeline-cores 65"},
                     ["RuntimeError: --neuroncore-pipeline-cores 65 is not a number from 1 to 64"], id="too many"),
        pytest.param("torch_neuronx", (), {"compiler_workdir": "x", "compiler_args": ["-O1"], "cpu_backend": False,
                                           "partitioner_config": None, "inline_weights_to_neff": True}, [],
                     id="known options of torch_neuronx"),
        pytest.param("torch_neuronx", (), {"speed": 11, "colour": "red"},
                     [UNKNOWN_OPTIONS], id="unknown options"),
        pytest.param("torch_neuronx", (None, {}, "workdir", ["-O1"]), {}, [BY_POSITION],
                     id="once positional arguments"),
        pytest.param("torch_neuronx", (None, None, None, "--neuroncore-pipeline-cores 2"), {}, [WRONG_COMPILER],
                     id="arguments by position are taken for what they once were"),
        pytest.param("torch_neuronx", (None, {"state": 0}), {}, [NO_STATE], id="aliases by position"),
        pytest.param("torch_neuronx", (1,) * 6, {},
                     ["RuntimeError: Received 8 positional arguments but expected 2"],
                     id="too many positional arguments"),
        pytest.param("torch_neuronx", (), {"options": 1, "states": ()},
                     ["DeprecationWarning: Argument `options` is deprecated",
                      "DeprecationWarning: Argument `states` is deprecated"], id="deprecated arguments"),
        pytest.param("torch_neuron", (), {"optimizations": [torch_neuron.Optimization.FLOAT32_TO_FLOAT16],
                                          "compiler_workdir": pathlib.Path("x"), "strict": False, "verbose": 1,
                                          "skip_compiler": True}, [], id="what programs pass to torch_neuron"),
        pytest.param("torch_neuronx", (), {"compiler_args": "--neuroncore-pipeline-cores 2"},
                     [WRONG_COMPILER], id="pipeline on the wrong hardware"),
        pytest.param("torch_neuronx", (), {"input_output_aliases": {"state": 0}},
                     [NO_STATE], id="aliases"),
    ],
)  # fmt: skip
def test_trace_says_what_it_does_with_its_options(
    package: str,
    positional: tuple[Any, ...],
    options: dict[str, Any],
    expected: list[str],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
    tmp_path: pathlib.Path,
) -> None:
    assert processes.run(machine, messages, package, positional, options, tmp_path) == expected
