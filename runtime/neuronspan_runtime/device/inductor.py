"""What torch's code generator gets when it asks for the device's: a refusal that names the way out.

inductor looks for these names in `torch.neuron` at its first compilation, whatever that is for. Without them its
last word is `KeyError: 'neuron'`.

Law: imported by inductor's question alone, for it imports inductor; refuses nothing but code for NeuronCores.
"""

from typing import NoReturn

from torch._inductor.codegen import common

from neuronspan_runtime import errors


class Refusal:
    """Stands for whatever would generate code; making one is refused."""

    supports_caching = False
    """Read by newer versions before they make one."""

    def __init__(self, *_arguments: object, **_options: object) -> None:
        self.create()

    @classmethod
    def create(cls, *_arguments: object, **_options: object) -> NoReturn:
        """Raise CompileRefused."""
        raise errors.CompileRefused


Scheduling = PythonWrapperCodegen = CppWrapperCodegen = WrapperFxCodegen = Refusal

common.register_device_op_overrides("neuron", common.DeviceOpOverrides())  # asked for first, and never used
