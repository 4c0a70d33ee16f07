"""An operator on tensors so small that only calling it takes time."""

import torch

import torch_neuronx  # noqa: F401 - registers the device
from performance import sampling


def measure() -> sampling.Samples:
    """`a + a` on [2, 2]: how much longer it takes on a NeuronCore than on the CPU."""
    torch.set_num_threads(1)
    host = torch.ones(2, 2)
    device = host.to("neuron:0")
    with torch.no_grad():
        pairs = sampling.alternating(lambda: host + host, lambda: device + device)
    return {
        "add_microseconds": [(subject - reference) * 1e6 for reference, subject in pairs],
        "add_ratio": sampling.ratios(pairs),
    }
