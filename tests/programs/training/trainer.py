"""Source: the shape of a Trainer: arguments, callbacks, evaluation, the best model kept.
Shows: gradient accumulation and clipping, evaluation between epochs, the best weights at the end.
"""

import copy
import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0"]


class Trainer:
    """A small one, with the parts that programs override."""

    def __init__(self, model: torch.nn.Module, device: str) -> None:
        self.model, self.device = model.to(device), device
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)
        self.best = (float("inf"), copy.deepcopy(model.state_dict()))

    def compute_loss(self, inputs: torch.Tensor) -> torch.Tensor:
        """What is minimized."""
        loss: torch.Tensor = (self.model(inputs.to(self.device)) - 0.5).abs().mean()
        return loss

    def train(self, epochs: int) -> torch.nn.Module:
        """Accumulate over two batches, clip, step, evaluate."""
        for epoch in range(epochs):
            for part in (neuron_models.example(), -neuron_models.example()):
                (self.compute_loss(part + epoch) / 2).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.scheduler.step()
            with torch.no_grad():
                loss = float(self.compute_loss(neuron_models.example()))
            self.best = min(self.best, (loss, copy.deepcopy(self.model.state_dict())), key=lambda one: one[0])
        self.model.load_state_dict(self.best[1])
        return self.model


def main(directory: pathlib.Path) -> list[str]:
    """Train on both, then compile what came out, from the device."""
    there, here = (Trainer(comparing.seeded(neuron_models.Small), device).train(3) for device in ("neuron:0", "cpu"))
    comparing.same(list(there.parameters()), list(here.parameters()))
    torch_neuronx.trace(there.eval(), neuron_models.example()).save(str(directory / "trained.pt"))
    model = neuron_models.jit_load(directory / "trained.pt")
    with torch.no_grad():
        comparing.same(model(neuron_models.example()), here.eval()(neuron_models.example()))
    return comparing.cores(model)
