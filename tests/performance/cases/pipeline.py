"""One model on one core, and cut into four stages on four cores, asked by threads of one Python program."""

import functools

import torch

import torch_neuronx
from performance import models, sampling

ROUNDS = 9
SECONDS = 0.4
STAGES = 4


def measure() -> sampling.Samples:
    """Requests per second through the pipeline with a request per stage in flight, over those of the unsplit model."""
    torch.set_num_threads(1)
    module, example = models.large()
    with torch_neuronx.experimental.neuron_cores_context(0):
        whole = functools.partial(models.traced(module, example), example)
        staged = functools.partial(models.traced(module, example, pipeline_cores=STAGES), example)
    if not models.equal([whole(), staged()]):
        raise AssertionError("the pipeline computes something else than the unsplit model")
    rate = functools.partial(sampling.calls_per_second, seconds=SECONDS)
    gains = []
    for _ in range(ROUNDS):
        single = max(rate(whole, 1), rate(whole, 2))
        gains.append(rate(staged, STAGES) / single)
    return {"gain": gains}
