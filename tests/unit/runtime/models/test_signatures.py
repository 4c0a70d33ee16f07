"""The public calls take the arguments of AWS's, under their names, with their defaults, and return what those do."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_models, neuron_processes

untyped_x: Any = torch_neuronx
untyped_1: Any = torch_neuron

TRACE = {"compiler_workdir": None, "compiler_args": None, "partitioner_config": None, "inline_weights_to_neff": True}
CORES = {"start_nc": -1, "nc_count": -1}
PARTITIONER = {
    "trace_kwargs": None, "model_support_percentage_threshold": 0.5, "min_subgraph_size": -1,
    "max_subgraph_count": -1, "ops_to_partition": None, "analyze_parameters": None,
}  # fmt: skip
INFERENTIA_TRACE = {
    "compiler_args": None, "compiler_timeout": None, "compiler_workdir": None, "subgraph_builder_function": None,
    "minimum_segment_size": 2, "single_fusion_ratio_threshold": 0.6, "fallback": True, "dynamic_batch_size": False,
    "optimizations": None, "separate_weights": False, "verbose": 0, "op_whitelist": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("call", "positional", "named"),
    [
        pytest.param(torch_neuronx.trace, ["func", "example_inputs"], TRACE | {"input_output_aliases": {},
                     "cpu_backend": False}, id="torch_neuronx.trace"),
        pytest.param(torch_neuronx.DataParallel, ["model", "device_ids", "dim", "set_dynamic_batching"],
                     {"device_ids": None, "dim": 0, "set_dynamic_batching": True}, id="torch_neuronx.DataParallel"),
        pytest.param(torch_neuronx.async_load, ["trace", "enable_async_load"], {"enable_async_load": True},
                     id="torch_neuronx.async_load"),
        pytest.param(torch_neuronx.lazy_load, ["trace", "enable_lazy_load"], {"enable_lazy_load": True},
                     id="torch_neuronx.lazy_load"),
        pytest.param(torch_neuronx.dynamic_batch, ["trace", "enable"], {"enable": True},
                     id="torch_neuronx.dynamic_batch"),
        pytest.param(torch_neuronx.replace_weights, ["neuron_model", "weights"], {},
                     id="torch_neuronx.replace_weights"),
        pytest.param(torch_neuronx.analyze, ["func", "example_inputs", "compiler_workdir"],
                     {"compiler_workdir": None, "additional_ignored_ops": set(), "max_workers": 4,
                      "is_hf_transformers": False, "cleanup": False}, id="torch_neuronx.analyze"),
        pytest.param(torch_neuronx.PartitionerConfig, [], PARTITIONER, id="torch_neuronx.PartitionerConfig"),
        pytest.param(torch_neuronx.BucketModelConfig, ["bucket_kernel"],
                     {"shared_state_buffer": None, "shared_state_buffer_preprocessor": None, "func_kwargs": None},
                     id="torch_neuronx.BucketModelConfig"),
        pytest.param(torch_neuronx.bucket_model_trace,
                     ["func", "example_inputs", "bucket_config", "compiler_workdir", "compiler_args"],
                     {"compiler_workdir": None, "compiler_args": None}, id="torch_neuronx.bucket_model_trace"),
        pytest.param(torch_neuronx.move_trace_to_device, ["trace", "device_id"], {},
                     id="torch_neuronx.move_trace_to_device"),
        *(
            pytest.param(getattr(module, name), [*(["trace"] if name.startswith("set_") else []),
                         *([] if "multicore" in name else CORES)], {} if "multicore" in name else CORES,
                         id=f"{module.__name__}.{name}")
            for module in (torch_neuronx, torch_neuronx.experimental, torch_neuron.experimental)
            for name in ("set_neuron_cores", "set_multicore", "neuron_cores_context", "multicore_context")
        ),
        pytest.param(torch_neuron.trace, ["model", "example_inputs"], INFERENTIA_TRACE, id="torch_neuron.trace"),
        pytest.param(torch_neuron.DataParallel, ["model", "device_ids", "dim"], {"device_ids": None, "dim": 0},
                     id="torch_neuron.DataParallel"),
        pytest.param(torch_neuron.analyze_model, ["model", "example_inputs"], {"compiler_args": None},
                     id="torch_neuron.analyze_model"),
        pytest.param(torch_neuron.get_supported_operations, [], {}, id="torch_neuron.get_supported_operations"),
        pytest.param(torch_neuron.is_available, [], {}, id="torch_neuron.is_available"),
    ],
)  # fmt: skip
def test_call_takes_the_arguments_that_are_documented(
    call: Callable[..., Any], positional: list[str], named: dict[str, Any]
) -> None:
    signature = inspect.signature(call)
    required = [name for name in positional if name not in named]
    by_position = signature.bind(*positional)
    assert list(by_position.arguments)[: len(positional)] == positional
    assert signature.bind(*required, **named).args[: len(required)] == tuple(required)
    for name, default in named.items():
        parameter = signature.parameters.get(name)
        # none stands for the default; what is accepted and changes nothing has none here
        own = default if parameter is None or parameter.default is None else parameter.default
        assert (own or None) == (default or None)


def returned() -> dict[str, str]:
    """Call what returns something worth a look, and what returns nothing; tell the types."""
    traced: Any = untyped_x.trace(neuron_models.Small(), neuron_models.example())
    inferentia: Any = untyped_1.trace(neuron_models.Small(), neuron_models.example())
    outside: Any = untyped_x.trace(neuron_models.Small(), neuron_models.example(), inline_weights_to_neff=False)
    found = {
        "trace": isinstance(traced, torch.jit.ScriptModule) and isinstance(inferentia, torch.jit.ScriptModule),
        "dynamic_batch": untyped_x.dynamic_batch(traced) is traced,
        "async_load": untyped_x.async_load(traced, False) is None,
        "lazy_load": untyped_x.lazy_load(traced, False) is None,
        "replace_weights": untyped_x.replace_weights(outside, neuron_models.Small(1).state_dict()) is None,
        "move_trace_to_device": untyped_x.move_trace_to_device(traced, 0) is None,
        "set_neuron_cores": untyped_x.set_neuron_cores(traced, 1) is None,
        "set_multicore": untyped_x.set_multicore(traced) is None,
        "analyze": type(untyped_x.analyze(neuron_models.Small(), neuron_models.example())) is dict,
        "analyze_model": untyped_1.analyze_model(neuron_models.Small(), [neuron_models.example()])["total_count"] > 0,
        "get_supported_operations": type(untyped_1.get_supported_operations()) is list,
        "is_available": untyped_1.is_available() is True,
        "synchronize": untyped_x.synchronize() is None,
        "DataParallel": isinstance(untyped_x.DataParallel(traced), torch.nn.Module),
    }
    return {name: "as documented" if right else "another type" for name, right in found.items()}


def test_calls_return_what_is_documented(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    found = processes.run(machine, returned)
    assert {name for name, verdict in found.items() if verdict != "as documented"} == set()
    assert len(found) == 14
