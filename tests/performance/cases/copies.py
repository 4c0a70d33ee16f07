"""Moving 16 MiB between host and device, against memcpy between two host tensors of that size."""

import ctypes
import functools

import torch

import torch_neuronx  # noqa: F401 - registers the device
from performance import sampling

BYTES = 16 << 20


def measure() -> sampling.Samples:
    """The share of memcpy's speed that each direction reaches."""
    torch.set_num_threads(1)
    source, target = torch.ones(BYTES, dtype=torch.uint8), torch.ones(BYTES, dtype=torch.uint8)
    device = source.to("neuron:0")
    memcpy = functools.partial(ctypes.memmove, target.data_ptr(), source.data_ptr(), BYTES)
    copies = {"host_to_device": (device, source), "device_to_host": (target, device)}
    return {
        name: [
            reference / subject
            for reference, subject in sampling.alternating(memcpy, functools.partial(to.copy_, value))
        ]
        for name, (to, value) in copies.items()
    }
