"""Source: SageMaker's inference toolkit: model_fn, input_fn, predict_fn, output_fn.
Shows: four functions that know each other by their arguments only.
"""

import json
import pathlib

import torch

import torch_neuron
from kits.device import neuron_models, neuron_networks
from kits.programs import comparing

CORES: list[str] = ["0"]


def model_fn(model_dir: str) -> torch.jit.ScriptModule:
    """Load."""
    return neuron_models.jit_load(pathlib.Path(model_dir) / "model_neuron.pt")


def input_fn(body: str, content_type: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Read a request."""
    assert content_type == "application/json"
    read = json.loads(body)
    return torch.tensor(read["input_ids"]), torch.tensor(read["attention_mask"])


def predict_fn(inputs: tuple[torch.Tensor, torch.Tensor], model: torch.jit.ScriptModule) -> dict[str, torch.Tensor]:
    """Infer."""
    found: dict[str, torch.Tensor] = model(*inputs)
    return found


def output_fn(prediction: dict[str, torch.Tensor], accept: str) -> str:
    """Write the answer."""
    assert accept == "application/json"
    return json.dumps({name: value.tolist() for name, value in prediction.items()})


def main(directory: pathlib.Path) -> list[str]:
    """Play the toolkit."""
    ids, mask = neuron_networks.sentences(1)
    torch_neuron.trace(neuron_networks.Encoder(), (ids, mask)).save(str(directory / "model_neuron.pt"))
    model = model_fn(str(directory))
    body = json.dumps({"input_ids": ids.tolist(), "attention_mask": mask.tolist()})
    kind = "application/json"
    answer = json.loads(output_fn(predict_fn(input_fn(body, kind), model), kind))
    comparing.check([torch.tensor(value) for value in answer.values()], neuron_networks.Encoder, ids, mask)
    return comparing.cores(model)
