"""Stand-in for AWS's torch-neuronx (Inf2, Trn): importing it registers the `neuron` device and fills `torch.neuron`."""

from neuronspan_runtime.compiling import analysis
from neuronspan_runtime.compiling.analysis import analyze
from neuronspan_runtime.compiling.bucketing import BucketModelConfig, bucket_model_trace
from neuronspan_runtime.compiling.partitions.configuration import PartitionerConfig
from neuronspan_runtime.compiling.trace_api import trace_for_trainium as trace
from neuronspan_runtime.device.device_module import (
    current_device,
    device_count,
    get_device_properties,
    is_available,
    set_device,
    synchronize,
)
from neuronspan_runtime.device.memory import (
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
from neuronspan_runtime.models.data_parallel import DataParallel
from neuronspan_runtime.models.dynamic_batching import dynamic_batch
from neuronspan_runtime.models.loading import async_load, lazy_load
from neuronspan_runtime.models.placing import (
    move_trace_to_device,
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)
from neuronspan_runtime.models.weights import replace_weights
from neuronspan_runtime.registering import registration
from torch_neuronx import contexts, experimental, testing, utils, xla_impl

__all__ = [
    "BucketModelConfig",
    "DataParallel",
    "PartitionerConfig",
    "__version__",
    "analyze",
    "async_load",
    "bucket_model_trace",
    "contexts",
    "current_device",
    "device_count",
    "dynamic_batch",
    "empty_cache",
    "experimental",
    "get_device_properties",
    "is_available",
    "lazy_load",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "memory_summary",
    "move_trace_to_device",
    "multicore_context",
    "neuron_cores_context",
    "replace_weights",
    "reset_accumulated_memory_stats",
    "reset_peak_memory_stats",
    "set_device",
    "set_multicore",
    "set_neuron_cores",
    "synchronize",
    "testing",
    "trace",
    "utils",
    "xla_impl",
]

__version__ = analysis.PACKAGE_VERSION

registration.register()
