"""Source: NeuronPerf's benchmark of a file: copies, threads, percentiles.
Shows: a file loaded several times without placement, called from a pool, counted.
"""

import concurrent.futures
import pathlib
import statistics
import time

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2"]


def main(directory: pathlib.Path) -> list[str]:
    """Measure three copies with two threads each."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    copies = [neuron_models.jit_load(directory / "model.pt") for _ in range(3)]
    latencies: list[float] = []

    def infer(number: int) -> torch.Tensor:
        begin = time.perf_counter()
        found: torch.Tensor = copies[number % 3](neuron_models.example())
        latencies.append(time.perf_counter() - begin)
        return found

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(infer, range(60)))
    for found in results:
        comparing.check(found, neuron_models.Small, neuron_models.example())
    report = {"total_infs": len(latencies), "latency_ms_p50": 1000 * statistics.median(latencies)}
    assert report["total_infs"] == 60
    assert 0 < report["latency_ms_p50"] <= 1000 * max(latencies)
    return comparing.cores(*copies)
