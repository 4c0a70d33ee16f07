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
from neuronspan_runtime.partitioner_config import PartitionerConfig
from neuronspan_runtime.trace_api import trace_for_trainium as trace
from torch_neuronx import experimental

__all__ = [
    "BucketModelConfig",
    "PartitionerConfig",
    "analyze",
    "bucket_model_trace",
    "experimental",
    "move_trace_to_device",
    "multicore_context",
    "neuron_cores_context",
    "set_multicore",
    "set_neuron_cores",
    "trace",
]

backend.register()
