"""What a program that was written for AWS's packages imports."""

import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits import neuron_models, neuron_processes

PLACEMENT = {"set_neuron_cores", "set_multicore", "neuron_cores_context", "multicore_context"}


ANALYSIS = {"analyze_model", "get_supported_operations"}
COMPILING = {"trace", "analyze", "bucket_model_trace", "BucketModelConfig", "PartitionerConfig"}


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a new interpreter that has imported nothing."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("module", "names"),
    [
        pytest.param(torch_neuron, {"trace", "experimental"} | ANALYSIS, id="torch_neuron"),
        pytest.param(torch_neuron.experimental, PLACEMENT, id="torch_neuron.experimental"),
        pytest.param(
            torch_neuronx, PLACEMENT | COMPILING | {"experimental", "move_trace_to_device"}, id="torch_neuronx"
        ),
        pytest.param(torch_neuronx.experimental, PLACEMENT, id="torch_neuronx.experimental"),
        pytest.param(neuronspan_runtime, {"ReplicaSpan", "close", "owned_cores", "placement"}, id="neuronspan_runtime"),
    ],
)
def test_package_offers_its_public_names(module: Any, names: set[str]) -> None:
    assert set(module.__all__) == names
    assert all(getattr(module, name).__doc__ for name in names)


def test_neuronspan_runtime_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'neuronspan_runtime' has no attribute 'placements'"):
        _ = neuronspan_runtime.placements


def namespace() -> tuple[bool, bool, bool]:
    device: Any = vars(torch)["neuron"]
    return device.trace is torch_neuron.trace, device.experimental is torch_neuron.experimental, device.is_initialized()


def test_torch_neuron_is_the_packages_other_name_and_importing_claims_nothing(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, namespace) == (True, True, False)


def test_neuronspan_runtime_is_imported_without_torch() -> None:
    done = python(
        "import neuronspan_runtime, sys; print('torch' in sys.modules, sorted(neuronspan_runtime.__all__)[-1])"
    )
    assert done.stdout == "False placement\n", done.stderr


def test_model_loaded_without_the_package_fails_with_torchs_own_words(model_files: pathlib.Path) -> None:
    done = python("import sys, torch; torch.jit.load(sys.argv[1])", neuron_models.file_of(model_files, 1))
    assert done.returncode == 1
    assert "__torch__.torch.classes.neuron.Model" in done.stderr
