"""Source: AWS's Stable Diffusion notebooks: text encoder, U-Net, decoder.
Shows: parts compiled one by one, each on its core, joined by a loop of steps.
"""

import pathlib
from collections.abc import Callable

import torch

import torch_neuronx
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2"]


class Denoiser(torch.nn.Module):
    """A U-Net's signature: sample, timestep, states of the text encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.time = torch.nn.Linear(1, 4)
        self.text = torch.nn.Linear(16, 4)

    def forward(self, sample: torch.Tensor, timestep: torch.Tensor, states: torch.Tensor) -> tuple[torch.Tensor]:
        shift = self.time(timestep.reshape(1, 1)) + self.text(states.mean(1))
        return (torch.tanh(self.convolution(sample) + shift[:, :, None, None]),)


def decoder() -> torch.nn.Module:
    """From latents to an image."""
    return torch.nn.Sequential(
        torch.nn.Upsample(scale_factor=2), torch.nn.Conv2d(4, 3, 3, padding=1), torch.nn.Sigmoid()
    )


def image(parts: list[torch.nn.Module]) -> torch.Tensor:
    """Run the whole pipeline with the same noise."""
    text, unet, vae = parts
    ids, mask = neuron_networks.sentences(1)
    states = text(ids, mask)["last_hidden_state"]
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for step in (9.0, 5.0, 1.0):
        sample = sample - 0.1 * unet(sample, torch.tensor(step), states)[0]
    found: torch.Tensor = vae(sample)
    return found


def main(directory: pathlib.Path) -> list[str]:
    """Compile three parts and put them on three cores."""
    ids, mask = neuron_networks.sentences(1)
    states = torch.zeros(1, ids.shape[1], 16)
    examples = [(ids, mask), (torch.zeros(1, 4, 8, 8), torch.tensor(1.0), states), (torch.zeros(1, 4, 8, 8),)]
    makers: list[Callable[[], torch.nn.Module]] = [neuron_networks.Encoder, Denoiser, decoder]
    compiled = []
    for core, (make, example) in enumerate(zip(makers, examples, strict=True)):
        traced = torch_neuronx.trace(comparing.seeded(make), example)
        traced.save(str(directory / f"{core}.pt"))
        with torch_neuronx.neuron_cores_context(core):
            compiled.append(neuron_models.jit_load(directory / f"{core}.pt"))
    with torch.no_grad():
        comparing.same(image([*compiled]), image([comparing.seeded(make) for make in makers]))
    return comparing.cores(*compiled)
