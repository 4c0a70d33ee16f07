"""`torch_neuronx.utils`: what the machine is."""

from neuronspan_runtime.device.device_module import get_platform_target

__all__ = ["get_platform_target"]
