"""`torch.neuron` is two things: torch's module of the device, and the other name of AWS's torch-neuron.

One module serves as both, whichever of the two packages is imported, and in whatever order.

Law: only joins what others define; a name of torch itself is never replaced, unless the package asks for it.
"""

from neuronspan_runtime.compiling import analysis, trace_api
from neuronspan_runtime.device import device_module
from neuronspan_runtime.models import data_parallel, placing

NAMES = {
    "DataParallel": data_parallel.DataParallelForInferentia,
    "Optimization": trace_api.Optimization,
    "__version__": analysis.PACKAGE_VERSION,
    "analyze_model": analysis.analyze_model,
    "experimental": placing,
    "get_supported_operations": analysis.get_supported_operations,
    "trace": trace_api.trace_for_inferentia,
}
"""AWS's names that torch's device module does not have of itself."""


def add(**own: object) -> None:
    """Put AWS's names into `torch.neuron`; those that are there stay, but a package's own go before."""
    for name, value in NAMES.items():
        vars(device_module).setdefault(name, value)
    vars(device_module).update(own)
