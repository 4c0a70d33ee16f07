"""Stand-in for AWS's torch-neuron (Inf1): importing it registers the `neuron` device and fills `torch.neuron`."""

from neuronspan_runtime.compiling import analysis
from neuronspan_runtime.compiling.analysis import analyze_model, get_supported_operations
from neuronspan_runtime.compiling.trace_api import Optimization
from neuronspan_runtime.compiling.trace_api import trace_for_inferentia as trace
from neuronspan_runtime.device.device_module import is_available, synchronize
from neuronspan_runtime.models.data_parallel import DataParallelForInferentia as DataParallel
from neuronspan_runtime.registering import registration
from torch_neuron import experimental

__all__ = [
    "DataParallel",
    "Optimization",
    "__version__",
    "analyze_model",
    "experimental",
    "get_supported_operations",
    "is_available",
    "synchronize",
    "trace",
]

__version__ = analysis.PACKAGE_VERSION

registration.register(experimental=experimental)
