"""`torch_neuronx.xla_impl.trace`: the module that AWS's samples import `trace` from; it is torch_neuronx.trace."""

from neuronspan_runtime.compiling.trace_api import trace_for_trainium as trace

__all__ = ["trace"]
