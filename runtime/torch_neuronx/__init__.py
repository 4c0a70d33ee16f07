"""Stand-in for AWS's torch-neuronx (Inf2, Trn): importing it registers the `neuron` device."""

from neuronspan_runtime import backend
from neuronspan_runtime.analysis import analyze
from neuronspan_runtime.bucketing import BucketModelConfig, bucket_model_trace
from neuronspan_runtime.core_placement import (
    move_trace_to_device,
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)
from neuronspan_runtime.device_memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    memory_allocated,
    memory_reserved,
    memory_stats,
    memory_summary,
    reset_accumulated_memory_stats,
    reset_peak_memory_stats,
)
from neuronspan_runtime.device_module import get_device_properties, set_device
from neuronspan_runtime.partitioner_config import PartitionerConfig
from neuronspan_runtime.trace_api import trace_for_trainium as trace
from torch_neuronx import experimental

__all__ = [
    "BucketModelConfig",
    "PartitionerConfig",
    "analyze",
    "bucket_model_trace",
    "empty_cache",
    "experimental",
    "get_device_properties",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "memory_summary",
    "move_trace_to_device",
    "multicore_context",
    "neuron_cores_context",
    "reset_accumulated_memory_stats",
    "reset_peak_memory_stats",
    "set_device",
    "set_multicore",
    "set_neuron_cores",
    "trace",
]

backend.register()
