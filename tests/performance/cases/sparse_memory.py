"""A tensor nearly as large as a trn2 core's HBM, on a host that may have less memory than that."""

import torch

import torch_neuronx  # noqa: F401 - registers the device
from performance import sampling

BYTES = 22 << 30


def measure() -> sampling.Samples:
    """What it adds to resident memory before it is touched, and after a byte was written at every GiB."""
    torch.zeros(1, device="neuron:0")
    before = sampling.resident_bytes()
    tensor = torch.empty(BYTES, dtype=torch.uint8, device="neuron:0")
    untouched = sampling.resident_bytes() - before
    tensor[:: 1 << 30].fill_(1)
    touched = sampling.resident_bytes() - before
    return {"untouched": [untouched / 2**20], "touched": [touched / 2**20]}
