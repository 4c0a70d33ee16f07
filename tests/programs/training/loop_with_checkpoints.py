"""Source: training scripts with checkpoints and resume.
Shows: the same weights as on the CPU after every step, also after a resume.
"""

import pathlib

import torch

from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = []


def trained(device: str, directory: pathlib.Path) -> list[torch.Tensor]:
    """Four steps, with a checkpoint in the middle that is read again."""
    model = comparing.seeded(neuron_models.Small).train().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(4):
        if step == 2:
            torch.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict()}, directory / f"{device[:3]}.pt"
            )
            read = torch.load(directory / f"{device[:3]}.pt", map_location=device)
            model.load_state_dict(read["model"])
            optimizer.load_state_dict(read["optimizer"])
        loss = (model(neuron_models.example().to(device)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return list(model.parameters())


def main(directory: pathlib.Path) -> list[str]:
    """Train twice and compare."""
    comparing.same(trained("neuron:0", directory), trained("cpu", directory))
    return []
