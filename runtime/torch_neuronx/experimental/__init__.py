"""Former home of the placement functions, here and in `placement`; they warn that they moved."""

from torch_neuronx.experimental import placement
from torch_neuronx.experimental.placement import (
    multicore_context,
    neuron_cores_context,
    set_multicore,
    set_neuron_cores,
)

__all__ = ["multicore_context", "neuron_cores_context", "placement", "set_multicore", "set_neuron_cores"]
