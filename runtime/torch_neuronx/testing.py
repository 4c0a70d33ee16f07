"""`torch_neuronx.testing`: comparing what a core computed with what was expected."""

from neuronspan_runtime.models.comparison import AllCloseSummary, assert_close, neuron_allclose

__all__ = ["AllCloseSummary", "assert_close", "neuron_allclose"]
