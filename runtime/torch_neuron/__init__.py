"""Stand-in for AWS's torch-neuron (Inf1): importing it registers the `neuron` device and fills `torch.neuron`."""

from neuronspan_runtime import backend, device_module
from neuronspan_runtime.analysis import analyze_model, get_supported_operations
from neuronspan_runtime.trace_api import trace_for_inferentia as trace
from torch_neuron import experimental

__all__ = ["analyze_model", "experimental", "get_supported_operations", "trace"]

backend.register()
vars(device_module).update(  # `torch.neuron` is this package's other name
    experimental=experimental,
    trace=trace,
    analyze_model=analyze_model,
    get_supported_operations=get_supported_operations,
)
