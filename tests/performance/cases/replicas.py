"""One model on one core and on two, asked by threads of one Python program."""

import functools

import torch

import torch_neuronx
from performance import models, sampling

ROUNDS = 9
SECONDS = 0.4
CLIENTS = 2


def measure() -> sampling.Samples:
    """Requests per second on two cores over those on one, which is asked by as many clients as suit it best.

    `machine` is what two CPUs can do at all: torch's own module in two threads over one.
    """
    torch.set_num_threads(1)
    module, example = models.large()
    plain = functools.partial(models.plain(module, example), example)
    with torch_neuronx.experimental.neuron_cores_context(0, 1):
        one = functools.partial(models.traced(module, example), example)
    with torch_neuronx.experimental.neuron_cores_context(0, 2):
        two = functools.partial(models.traced(module, example), example)
    rate = functools.partial(sampling.calls_per_second, seconds=SECONDS)
    for function in (plain, one, two):
        rate(function, CLIENTS)
    gains, machine = [], []
    for _ in range(ROUNDS):
        alone = rate(plain, 1)
        single = max(rate(one, 1), rate(one, CLIENTS))
        gains.append(rate(two, CLIENTS) / single)
        machine.append(rate(plain, CLIENTS) / alone)
    return {"gain": gains, "machine": machine}
