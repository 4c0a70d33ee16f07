"""`torch_neuronx.contexts`: what AWS's package has there for programs that read a model before they place it."""

from neuronspan_runtime.models.loading import disable_nrt_load

__all__ = ["disable_nrt_load"]
