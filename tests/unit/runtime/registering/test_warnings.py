"""`python -W error`: what a program does every day warns of nothing, whatever the machine's speed."""

import pathlib

import pytest

from kits.device import neuron_programs
from neuronspan_runtime import environment

TORCHS_OWN = (
    *(f"ignore:`torch.jit.{name}` is deprecated:DeprecationWarning" for name in ("load", "save")),
    "ignore:Implicitly cleaning up <TemporaryDirectory:ResourceWarning",
)
"""With or without a device: torch 2.13 warns whoever calls these two, and torch 2.6 leaves a directory of its own to
the end of the interpreter (torch/distributed/nn/jit/instantiator.py)."""

STRICT = {"PYTHONWARNINGS": ",".join(["error", *TORCHS_OWN])}
"""As `-W error`, torch's own warnings aside."""

TOO_SLOW = {environment.TIME_ENV: "device", environment.TIME_SCALE_ENV: "0.00001"}
"""Executions that no CPU ends in the time they are to last."""

PROGRAM = """
import sys
import torch
import {package} as package

directory, two = sys.argv[1], torch.rand(2, 4)
module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)).eval()
traced = package.trace(module, [two] if {listed} else two)
traced.save(directory + "/model.pt")
torch.jit.save(traced, directory + "/again.pt")
loaded = torch.jit.load(directory + "/model.pt")
parallel = package.DataParallel(torch.jit.load(directory + "/again.pt"), device_ids=[0, 1])
with torch.no_grad():
    same = [torch.equal(model(two), module(two)) for model in (traced, loaded)]
    same.append(torch.equal(parallel(torch.cat([two, two]))[2:], module(two)))
there = two.to("neuron:0")
moved = module.to("neuron:0")
with torch.autocast("neuron", dtype=torch.bfloat16):
    moved(there).sum().backward()
torch.optim.AdamW(moved.parameters()).step()
torch.save(moved.state_dict(), directory + "/weights.pt")
torch.load(directory + "/weights.pt")
print(same, repr(there.device))
"""


@pytest.mark.parametrize("variables", [{}, TOO_SLOW], ids=["full speed", "the CPU is too slow"])
@pytest.mark.parametrize(("package", "listed"), [("torch_neuronx", False), ("torch.neuron", True)])
def test_a_program_that_takes_warnings_for_errors_runs(
    package: str, listed: bool, variables: dict[str, str], machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    importing = PROGRAM.format(package=package, listed=listed)
    code = importing if package == "torch_neuronx" else f"import torch_neuron\n{importing}"
    done = neuron_programs.run(machine | STRICT | variables, code, tmp_path)
    assert (done.stdout, done.returncode) == ("[True, True, True] device(type='neuron', index=0)\n", 0), done.stderr
    assert done.stderr.count("Warning") == bool(variables)
