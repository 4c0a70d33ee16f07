"""Source: threaded consumers of a queue, as in AWS's inf1 samples.
Shows: one thread and one model for each core, results by number.
"""

import pathlib
import queue
import threading

import torch

import torch_neuron
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2", "3"]


def main(directory: pathlib.Path) -> list[str]:
    """Four threads take forty requests."""
    torch_neuron.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    models = []
    for core in range(4):
        with torch_neuron.experimental.neuron_cores_context(core, 1):
            models.append(neuron_models.jit_load(directory / "model.pt"))
    waiting: queue.Queue[int | None] = queue.Queue()
    results: dict[int, torch.Tensor] = {}

    def work(model: torch.nn.Module) -> None:
        while (number := waiting.get()) is not None:
            results[number] = model(neuron_models.example() * number)

    threads = [threading.Thread(target=work, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for number in (*range(40), *[None] * 4):
        waiting.put(number)
    for thread in threads:
        thread.join()
    for number in range(40):
        comparing.check(results[number], neuron_models.Small, neuron_models.example() * number)
    return comparing.cores(*models)
