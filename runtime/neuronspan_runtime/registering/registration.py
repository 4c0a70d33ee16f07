"""Everything that an import of `torch_neuron` or `torch_neuronx` changes in torch.

Law: the only caller of the registrations; in any order and number they end in the same state.
"""

from torch import distributed

from neuronspan_runtime.device import backend
from neuronspan_runtime.registering import aws_names


def register(**own: object) -> None:
    """Make the device, the names of `torch.neuron` and the process group known; `own` names go before AWS's others.

    Raises LibraryUnavailable or NeuronRuntimeError as backend.register does, and then changes nothing.
    """
    backend.register()
    aws_names.add(**own)
    if distributed.is_available() and distributed.is_gloo_available():
        from neuronspan_runtime.registering import process_group  # noqa: PLC0415 - some builds of torch have no groups

        process_group.register()
