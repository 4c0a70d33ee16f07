"""Where AWS's package has its compiler; of it there is `trace`."""

from torch_neuronx.xla_impl import trace

__all__ = ["trace"]
