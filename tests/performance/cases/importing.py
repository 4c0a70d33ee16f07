"""What the device adds to importing torch: by an import of a drop-in, and by torch's own way to what is installed."""

import pathlib
import tempfile
from collections.abc import Mapping

from kits.device import neuron_programs
from performance import sampling

ROUNDS = 5
DROP_IN = """
import time, torch
start = time.process_time()
import torch_neuronx
print(time.process_time() - start)
"""
TORCH = """
import time
start = time.process_time()
import torch
print(time.process_time() - start)
"""
WITHOUT = {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}


def measure() -> sampling.Samples:
    """CPU seconds of fresh processes; the library is compiled already, the first round reads everything from disk."""
    with tempfile.TemporaryDirectory() as directory:
        installed = pathlib.Path(directory)
        neuron_programs.install_entry_points(installed)
        rounds = [
            (
                _seconds(DROP_IN, installed, WITHOUT),
                _seconds(TORCH, installed, {}) - _seconds(TORCH, installed, WITHOUT),
            )
            for _ in range(ROUNDS + 1)
        ][1:]
    return {"seconds": [drop_in for drop_in, _ in rounds], "entry_point": [entry_point for _, entry_point in rounds]}


def _seconds(program: str, installed: pathlib.Path, variables: Mapping[str, str]) -> float:
    result = neuron_programs.run(variables, program, first=[installed])
    result.check_returncode()
    return float(result.stdout)
