"""One call of a traced model against the same call of the ScriptModule that torch alone makes of the module."""

import functools
from collections.abc import Callable

import torch

import torch_neuronx
from performance import models, sampling

CASES: dict[str, Callable[[], tuple[torch.nn.Module, torch.Tensor]]] = {
    "small": models.small,
    "trainable": models.trainable,
    "large": models.large,
    "convolutions": models.convolutions,
}


def measure() -> sampling.Samples:
    """Inputs on the CPU, and inputs that are on the model's core already; both sides have one thread."""
    torch.set_num_threads(1)
    samples: dict[str, list[float]] = {}
    for name, make in CASES.items():
        module, example = make()
        plain = models.plain(module, example)
        with torch_neuronx.experimental.neuron_cores_context(start_nc=0):
            traced = models.traced(module, example)
        there = example.to("neuron:0")
        with torch.no_grad():
            if not models.equal([plain(example), traced(example), traced(there)]):
                raise AssertionError(f"{name}: the traced model computes something else")
            reference = functools.partial(plain, example)
            for place, values in (("cpu", example), ("neuron", there)):
                pairs = sampling.alternating(reference, functools.partial(traced, values))
                samples[f"{name}_{place}"] = sampling.ratios(pairs)
        samples[f"{name}_microseconds"] = [seconds * 1e6 for seconds, _ in pairs]
    return samples
