"""What a compilation leaves beside the model: words on the terminal, files in its working directory."""

import collections
import io
import logging
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
import torch_neuronx
from kits.device import neuron_processes, neuron_programs
from neuronspan_runtime.compiling.telling import coverage, terminal

untyped_1: Any = torch_neuron
untyped_x: Any = torch_neuronx

SORTED = """
import torch, torch_neuron
def network(values):
    return torch.sort(torch.relu(values * 2) + 1)[0]
"""
ANALYZED = """\
INFO:Neuron:The following operations are currently supported in torch-neuron for this model:
INFO:Neuron:aten::add
INFO:Neuron:aten::mul
INFO:Neuron:aten::relu
INFO:Neuron:prim::Constant
INFO:Neuron:The following operations are currently not supported in torch-neuron for this model:
INFO:Neuron:aten::sort
INFO:Neuron:88.89% of all operations (including primitives) (8 of 9) are supported
INFO:Neuron:75.00% of arithmetic operations (3 of 4) are supported
"""
TRACED = """\
INFO:Neuron:There are 1 ops of 1 different types in the TorchScript that are not compiled by neuron-cc: aten::sort, \
(For more information see https://awsdocs-neuron.readthedocs-hosted.com/en/latest/release-notes/compiler/neuron-cc/\
neuron-cc-ops/neuron-cc-ops-pytorch.html)
INFO:Neuron:Number of arithmetic operators (pre-compilation) before = 4, fused = 3, percent fused = 75.0%
"""
WHOLE = """\
INFO:Neuron:All operators are compiled by neuron-cc (this does not guarantee that neuron-cc will successfully compile)
INFO:Neuron:Number of arithmetic operators (pre-compilation) before = 1, fused = 1, percent fused = 100.0%
"""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param("torch.neuron.analyze_model(network, example_inputs=[torch.rand(4)])", ANALYZED, id="analyze"),
        pytest.param("torch.neuron.trace(network, [torch.rand(4)])", TRACED, id="trace"),
        pytest.param("torch.neuron.trace(network, [torch.rand(4)], verbose='INFO')", TRACED, id="asked for"),
        pytest.param("torch.neuron.trace(torch.relu, torch.rand(4))", WHOLE, id="everything is compiled"),
        pytest.param("logging.getLogger('Neuron').setLevel('ERROR'); torch.neuron.trace(network, [torch.rand(4)])", "",
                     id="a level of the program's own"),
        pytest.param("logging.basicConfig(level='INFO'); torch.neuron.trace(network, [torch.rand(4)])", TRACED,
                     id="a handler of the program's own, once"),
    ],
)  # fmt: skip
def test_the_terminal_says_what_is_compiled(call: str, said: str, machine: dict[str, str]) -> None:
    done = neuron_programs.run(machine, f"import logging\n{SORTED}\n{call}", warnings=False)
    assert (done.stderr, done.returncode) == (said, 0)


def test_analysis_has_the_keys_of_the_published_one() -> None:
    found = coverage.analysis(["aten::relu", "prim::Constant", "aten::sort", "aten::relu", "prim::Constant"])
    assert list(found.items()) == [
        ("percent_supported", 80.0),
        ("percent_supported_arithmetic", pytest.approx(66.67, abs=0.01)),
        ("supported_count", 4),
        ("total_count", 5),
        ("supported_count_arithmetic", 2),
        ("total_count_arithmetic", 3),
        ("supported_operators", {"aten::relu", "prim::Constant"}),
        ("unsupported_operators", ["aten::sort"]),
        ("operators", ["aten::relu", "aten::sort", "prim::Constant"]),
        ("operator_count", collections.OrderedDict({"aten::relu": 2, "aten::sort": 1, "prim::Constant": 2})),
    ]
    assert coverage.analysis([])["percent_supported"] == 100.0


def test_the_logger_is_set_up_once() -> None:
    log = terminal.logger()
    assert terminal.logger() is log is logging.getLogger("Neuron")
    assert len(log.handlers) == 1


class Perceptron(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(values)
        return found.relu()


def in_two_parts(values: torch.Tensor) -> torch.Tensor:
    return torch.sort(torch.relu(values * 2) + 1)[0].neg() * 3 + 2


def the_directory_is_made_and_the_artifact_is_the_model(directory: pathlib.Path) -> None:
    workdir, given = directory / "wd" / "unet", torch.rand(2, 4)
    traced = untyped_x.trace(Perceptron(), given, compiler_workdir=str(workdir))
    traced.save(str(workdir / "model.pt"))
    assert sorted(path.name for path in workdir.iterdir()) == ["graph.neff", "model.pt"]
    load: Any = torch.jit.load
    assert torch.equal(load(str(workdir / "graph.neff"))(given), traced(given))
    untyped_x.trace(Perceptron(), given, compiler_workdir=workdir)  # once more, where something is


def every_part_has_its_artifact(directory: pathlib.Path) -> None:
    inferentia = untyped_1.trace(in_two_parts, torch.rand(4), compiler_workdir=directory / "inf1")
    config = torch_neuronx.PartitionerConfig()
    untyped_x.trace(in_two_parts, torch.rand(4), compiler_workdir=directory / "trn1", partitioner_config=config)
    untyped_1.trace(Perceptron(), torch.rand(2, 4), compiler_workdir=directory / "whole")
    found = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.neff"))
    assert found == [
        "inf1/0/graph_def.neff", "inf1/1/graph_def.neff", "trn1/0/graph.neff", "trn1/1/graph.neff",
        "whole/0/graph_def.neff",
    ]  # fmt: skip
    assert torch.equal(inferentia(torch.ones(4)), in_two_parts(torch.ones(4)))


def nothing_is_left_without_a_directory(directory: pathlib.Path) -> None:
    untyped_x.trace(Perceptron(), torch.rand(2, 4))
    untyped_1.trace(Perceptron(), torch.rand(2, 4))
    assert [*directory.iterdir()] == []


@pytest.mark.parametrize(
    "scenario",
    [
        the_directory_is_made_and_the_artifact_is_the_model,
        every_part_has_its_artifact,
        nothing_is_left_without_a_directory,
    ],
)
def test_artifacts(
    scenario: Callable[[pathlib.Path], None],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
    tmp_path: pathlib.Path,
) -> None:
    processes.run(machine, scenario, tmp_path)


def test_a_terminal_that_is_not_there_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = next(one for one in terminal.logger().handlers if type(one).__module__ == terminal.__name__)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    for gone in (None, io.StringIO()):
        if gone is not None:
            gone.close()
        monkeypatch.setattr(sys, "stderr", gone)
        handler.emit(logging.makeLogRecord({"msg": "compiled"}))
        assert sys.stderr is gone
