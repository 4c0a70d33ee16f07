"""Source: FastAPI services with a lifespan and inference in threads.
Shows: requests at the same time on replicas, without the event loop waiting.
"""

import asyncio
import json
import pathlib
from typing import Self

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["0", "1", "2", "3"]


class Application:
    """What a framework makes of two functions: start, and one route."""

    model: torch.jit.ScriptModule

    def __init__(self, file: pathlib.Path) -> None:
        self.file = file

    async def __aenter__(self) -> Self:
        self.model = await asyncio.to_thread(neuron_models.jit_load, self.file)
        await asyncio.to_thread(torch_neuronx.set_neuron_cores, self.model, 0, 4)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)

    async def predict(self, body: str) -> str:
        """Answer one request."""
        values = torch.tensor(json.loads(body)["values"])
        found = await asyncio.to_thread(self.model, values)
        return json.dumps({"scores": found.tolist()})


async def served(file: pathlib.Path) -> list[str]:
    """Send twenty requests at once."""
    async with Application(file) as application:
        batches = [neuron_models.example() + shift for shift in range(20)]
        answers = await asyncio.gather(
            *(application.predict(json.dumps({"values": batch.tolist()})) for batch in batches)
        )
        for batch, answer in zip(batches, answers, strict=True):
            comparing.check(torch.tensor(json.loads(answer)["scores"]), neuron_models.Small, batch)
        return comparing.cores(application.model)


def main(directory: pathlib.Path) -> list[str]:
    """Compile, then serve."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    return asyncio.run(served(directory / "model.pt"))
