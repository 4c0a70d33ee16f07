"""Trace, place, replicate and chain a model on the pod's NeuronCores, check the numbers, and print what was seen.

Run by the example pods. One line of JSON, then `OK`, or the run fails; with `--stay` the process then keeps its cores
until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import networks
import torch

import neuronspan_runtime
import torch_neuronx

SECOND_PROCESS = "import torch, torch_neuronx; torch.rand(1, device='neuron:0')"


def spans(model: torch.jit.ScriptModule) -> list[str]:
    """Where the replicas of a loaded model are, in the node's numbering."""
    return [str(span) for span in neuronspan_runtime.placement(model)]


def infer(name: str, directory: pathlib.Path) -> dict[str, object]:
    """Do the whole round with one model and return what was seen; raises AssertionError when a result is wrong."""
    model, example = networks.build(name)
    expected = model(example).detach()
    path = directory / f"{name}.pt"
    torch_neuronx.trace(model, example).save(str(path))

    placed = torch.jit.load(str(path))
    result = placed(example)
    assert result.device.type == "cpu", f"a CPU input must give a CPU output, got {result.device}"
    torch.testing.assert_close(result, expected)

    with torch_neuronx.multicore_context():
        replicated = torch.jit.load(str(path))
    for _ in range(len(spans(replicated)) + 1):
        torch.testing.assert_close(replicated(example), expected)
    return {
        "model": name,
        "placement": spans(placed),
        "replicas": spans(replicated),
        "largest error": float((result - expected).abs().max()),
    }


def chain(directory: pathlib.Path) -> dict[str, object]:
    """Send a tensor that lives in HBM through two models on one core without leaving the device."""
    body, _ = networks.build("resnet")
    head = networks.Head().eval()
    torch_neuronx.trace(body, torch.rand(1, 3, 32, 32)).save(str(directory / "body.pt"))
    torch_neuronx.trace(head, torch.rand(1, 64)).save(str(directory / "head.pt"))
    with torch_neuronx.neuron_cores_context(start_nc=0, nc_count=1):
        first, second = torch.jit.load(str(directory / "body.pt")), torch.jit.load(str(directory / "head.pt"))
    images = torch.rand(1, 3, 32, 32, device="neuron:0")
    scores = second(first(images))
    assert str(scores.device) == "neuron:0", f"the chain left the device: {scores.device}"
    torch.testing.assert_close(scores.cpu(), head(body(images.cpu())).detach())
    return {"chain": str(scores.device), "sum of probabilities": round(float(scores.sum().cpu()), 6)}


def second_process() -> str:
    """Start another process that wants the same cores and return the line it is refused with."""
    done = subprocess.run([sys.executable, "-c", SECOND_PROCESS], capture_output=True, text=True, check=False)
    assert done.returncode != 0, "a second process got cores that this process owns"
    return next((line for line in done.stderr.splitlines() if "not available" in line), done.stderr.strip())


def main() -> None:
    """Parse the command line, run, print, and stay if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=("resnet", "encoder"), default="resnet")
    parser.add_argument("--stay", action="store_true", help="keep the cores until SIGTERM")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container ignores SIGTERM otherwise
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as directory, torch.inference_mode():
        report: dict[str, object] = infer(options.model, pathlib.Path(directory))
        report |= chain(pathlib.Path(directory))
    report["owned"] = str(neuronspan_runtime.owned_cores())
    report["second process"] = second_process()
    print(json.dumps(report), flush=True)
    print("OK", flush=True)
    if options.stay:
        signal.pause()


if __name__ == "__main__":
    main()
