"""What a program that was written for AWS's packages imports."""

import json
import pathlib
from typing import Any

import pytest
import torch

import neuronspan_runtime
import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes, neuron_programs
from neuronspan_runtime.registering import aws_names

PLACEMENT = {"set_neuron_cores", "set_multicore", "neuron_cores_context", "multicore_context"}
DEVICE = {
    "current_device", "device_count", "empty_cache", "get_device_properties", "is_available", "max_memory_allocated",
    "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats", "memory_summary",
    "reset_accumulated_memory_stats", "reset_peak_memory_stats", "set_device", "synchronize",
}  # fmt: skip
"""Of torch's device module, what torch_neuronx has under its own name too."""
ANALYSIS = {"analyze_model", "get_supported_operations"}
COMPILING = {"trace", "analyze", "bucket_model_trace", "BucketModelConfig", "PartitionerConfig"}
INFERENTIA = ANALYSIS | {
    "DataParallel", "Optimization", "__version__", "experimental", "is_available", "synchronize", "trace",
}  # fmt: skip
TRAINIUM = PLACEMENT | DEVICE | COMPILING | {
    "DataParallel", "__version__", "async_load", "contexts", "dynamic_batch", "experimental", "lazy_load",
    "move_trace_to_device", "replace_weights", "testing", "utils", "xla_impl",
}  # fmt: skip
TORCH = {
    "device", "get_device_name", "get_rng_state", "init", "initial_seed", "is_initialized", "manual_seed",
    "manual_seed_all", "mem_get_info", "set_rng_state", "get_amp_supported_dtype",
}  # fmt: skip
"""What torch itself looks for in the module of a device."""


@pytest.mark.parametrize(
    ("module", "names"),
    [
        pytest.param(torch_neuron, INFERENTIA, id="torch_neuron"),
        pytest.param(torch_neuron.experimental, PLACEMENT, id="torch_neuron.experimental"),
        pytest.param(torch_neuronx, TRAINIUM, id="torch_neuronx"),
        pytest.param(torch_neuronx.experimental, PLACEMENT | {"placement"}, id="torch_neuronx.experimental"),
        pytest.param(torch_neuronx.experimental.placement, PLACEMENT, id="torch_neuronx.experimental.placement"),
        pytest.param(torch_neuronx.contexts, {"disable_nrt_load"}, id="torch_neuronx.contexts"),
        pytest.param(
            torch_neuronx.testing, {"AllCloseSummary", "assert_close", "neuron_allclose"}, id="torch_neuronx.testing"
        ),
        pytest.param(torch_neuronx.utils, {"get_platform_target"}, id="torch_neuronx.utils"),
        pytest.param(torch_neuronx.xla_impl, {"trace"}, id="torch_neuronx.xla_impl"),
        pytest.param(torch_neuronx.xla_impl.trace, {"trace"}, id="torch_neuronx.xla_impl.trace"),
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


REACHABLE = """
import importlib, json, sys, torch
imported, names = sys.argv[1].split(","), json.loads(sys.argv[2])
packages = {name: importlib.import_module(name) for name in imported} | {"torch.neuron": torch.neuron}
missing = [f"{package}.{name}" for package, module in packages.items() for name in names[package]
           if not hasattr(module, name)]
experimental = [name for name in names["experimental"] if not hasattr(torch.neuron.experimental, name)]
print(missing, experimental, torch.neuron.is_initialized(), torch.get_device_module("neuron") is torch.neuron)
"""


@pytest.mark.parametrize(
    "imported", ["torch_neuron", "torch_neuronx", "torch_neuron,torch_neuronx", "torch_neuronx,torch_neuron"]
)
def test_every_name_is_reachable_whatever_is_imported_in_whatever_order(imported: str) -> None:
    names = {
        "torch_neuron": INFERENTIA,
        "torch_neuronx": TRAINIUM,
        "torch.neuron": INFERENTIA | DEVICE | TORCH,
        "experimental": PLACEMENT,
    }
    done = neuron_programs.run(
        {}, REACHABLE, imported, json.dumps({key: sorted(value) for key, value in names.items()})
    )
    assert done.stdout == "[] [] False True\n", done.stderr


def test_the_two_packages_have_their_own_trace_and_data_parallel() -> None:
    names: Any = aws_names.NAMES
    trainium: Any = torch_neuronx
    assert (names["trace"], names["DataParallel"]) == (torch_neuron.trace, torch_neuron.DataParallel)
    assert trainium.DataParallel is not torch_neuron.DataParallel
    assert trainium.trace is not torch_neuron.trace


def test_versions_begin_with_torchs_own() -> None:
    base = torch.__version__.partition("+")[0]
    assert torch_neuron.__version__ == torch_neuronx.__version__ == f"{base}+simulated"


def test_neuronspan_runtime_is_imported_without_torch() -> None:
    done = neuron_programs.run(
        {}, "import neuronspan_runtime, sys; print('torch' in sys.modules, sorted(neuronspan_runtime.__all__)[-1])"
    )
    assert done.stdout == "False placement\n", done.stderr


def test_model_loaded_without_the_package_fails_with_torchs_own_words(model_files: pathlib.Path) -> None:
    done = neuron_programs.run(
        {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"},
        "import sys, torch; torch.jit.load(sys.argv[1])",
        neuron_models.file_of(model_files, 1),
    )
    assert done.returncode == 1
    assert "__torch__.torch.classes.neuron.Model" in done.stderr
