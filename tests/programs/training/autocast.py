"""Source: mixed precision scripts: autocast to bfloat16, a float32 master copy.
Shows: the same losses as on the CPU, step by step.
"""

import pathlib

import torch

from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = []


def losses(device: str) -> list[torch.Tensor]:
    """Three steps under autocast."""
    model = comparing.seeded(neuron_models.Small).train().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    found = []
    for _ in range(3):
        with torch.autocast(device.split(":", maxsplit=1)[0], dtype=torch.bfloat16):
            loss = model(neuron_models.example().to(device)).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach())
    return found


def main(directory: pathlib.Path) -> list[str]:
    """Compare the losses."""
    comparing.same(losses("neuron:0"), losses("cpu"))
    assert directory.is_dir()
    return []
