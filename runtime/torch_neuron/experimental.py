"""Explicit core placement for Inf1."""

from neuronspan_runtime.models.placing import multicore_context, neuron_cores_context, set_multicore, set_neuron_cores

__all__ = ["multicore_context", "neuron_cores_context", "set_multicore", "set_neuron_cores"]
