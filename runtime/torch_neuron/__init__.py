"""Stand-in for AWS's torch-neuron (Inf1): importing it registers the `neuron` device and fills `torch.neuron`."""

from neuronspan_runtime import backend, device_module
from neuronspan_runtime.trace_api import trace_for_inferentia as trace
from torch_neuron import experimental

__all__ = ["experimental", "trace"]

backend.register()
vars(device_module).update(experimental=experimental, trace=trace)  # `torch.neuron` is this package's other name
