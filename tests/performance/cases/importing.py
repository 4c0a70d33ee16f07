"""What importing a drop-in adds to importing torch."""

import subprocess
import sys

from performance import sampling

ROUNDS = 5
PROGRAM = """
import time, torch
start = time.process_time()
import torch_neuronx
print(time.process_time() - start)
"""


def measure() -> sampling.Samples:
    """CPU seconds of a fresh process; the library is compiled already."""
    output = [
        subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
        for _ in range(ROUNDS + 1)  # the first one reads everything from disk
    ]
    return {"seconds": [float(text) for text in output[1:]]}
