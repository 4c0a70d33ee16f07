"""Source: Triton's Python backend, class TritonPythonModel.
Shows: initialize with a config, execute lists of requests, finalize.
"""

import json
import pathlib

import torch

import torch_neuronx
from kits.device import neuron_models
from kits.programs import comparing

CORES: list[str] = ["3"]


class TritonPythonModel:
    """The three methods that the server calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load on the core of this instance."""
        config = json.loads(args["model_config"])
        core = int(config["parameters"]["NEURON_CORE_START_INDEX"]["string_value"])
        with torch_neuronx.neuron_cores_context(start_nc=core, nc_count=1):
            self.model = neuron_models.jit_load(pathlib.Path(args["model_repository"]) / "model.pt")

    def execute(self, requests: list[dict[str, torch.Tensor]]) -> list[dict[str, torch.Tensor]]:
        """Answer each request."""
        return [{"OUTPUT__0": self.model(request["INPUT__0"])} for request in requests]

    def finalize(self) -> list[str]:
        """Tell where it was, and let go."""
        found = comparing.cores(self.model)
        del self.model
        return found


def main(directory: pathlib.Path) -> list[str]:
    """Play the server."""
    torch_neuronx.trace(neuron_models.Small(), neuron_models.example()).save(str(directory / "model.pt"))
    config = {"parameters": {"NEURON_CORE_START_INDEX": {"string_value": "3"}}}
    instance = TritonPythonModel()
    instance.initialize({"model_config": json.dumps(config), "model_repository": str(directory)})
    requests = [{"INPUT__0": neuron_models.example() * scale} for scale in (1, 2, 3)]
    for request, response in zip(requests, instance.execute(requests), strict=True):
        comparing.check(response["OUTPUT__0"], neuron_models.Small, request["INPUT__0"])
    return instance.finalize()
