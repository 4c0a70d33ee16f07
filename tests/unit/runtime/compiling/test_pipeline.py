"""NeuronCore Pipeline: models cut at trace time compute the same bits, stage by stage, each on its own core."""

import copy
import gc
import io
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuron
from kits.compiled import pipeline_models
from kits.device import neuron_processes

untyped: Any = torch
"""torch, where it has no types of its own."""
ops: Any = torch.ops.neuron
PAGE = 4096
HBM = 2 << 30  # of a core of the machine fixture, an Inf1


def traced(name: str, stages: int, **options: Any) -> Any:
    model, inputs = pipeline_models.made(name)
    return torch_neuron.trace(model, inputs, compiler_args=f"--neuroncore-pipeline-cores {stages}", **options)


def reloaded(module: Any) -> Any:
    file = io.BytesIO(module.save_to_buffer())
    return untyped.jit.load(file)


def expected(name: str) -> Any:
    """Record the model as torch itself does, and run that: some modules compute in another way without a graph."""
    model, inputs = pipeline_models.made(name)
    recorded = untyped.jit.trace(model, inputs, strict=False, check_trace=False)
    with torch.no_grad():
        return recorded(*inputs)


def charged() -> list[int]:
    gc.collect()
    return [ops.memory_stats(core)["models"] for core in range(8)]


def executions() -> list[int]:
    return [ops.memory_stats(core)["executions"] for core in range(8)]


def in_pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


def traced_copied_and_loaded(name: str, stages: int) -> list[Any]:
    """Return what the traced model, a copy and the loaded file compute like the CPU's, and where their stages ran."""
    cut = traced(name, stages)
    inputs = pipeline_models.made(name)[1]
    reference = expected(name)
    models = [cut, copy.deepcopy(cut), reloaded(cut)]
    same = [pipeline_models.same_bits(model(*inputs), reference) for model in models for _ in range(3)]
    on_device = models[-1](*(value.to(f"neuron:{models[-1].neuron_model.placement()[0][0]}") for value in inputs))
    devices = {leaf.device.index for leaf in pipeline_models.leaves(on_device)}
    same.append(pipeline_models.same_bits([leaf.cpu() for leaf in pipeline_models.leaves(on_device)], reference))
    return [all(same), [model.neuron_model.placement() for model in models], list(devices)]


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("perceptron", 4), ("convolutional", 2), ("convolutional", 4), ("attentive", 3), ("recurrent", 3), ("keyed", 2),
        ("keyed", 4), ("tied", 3), ("changed later", 2), ("changed later", 4), ("branching", 2),
    ],
)  # fmt: skip
def test_cut_models_compute_the_same_bits(
    name: str, stages: int, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    same, placements, devices = processes.run(machine, traced_copied_and_loaded, name, stages)
    assert same
    assert [[count for _, count in spans] for spans in placements] == [[stages]] * 3
    assert devices == [placements[-1][0][0]]


def every_stage_has_its_weights_on_its_own_core() -> None:
    model = reloaded(traced("perceptron", 4))
    sizes = model.neuron_model.stage_bytes()
    assert len(sizes) == 4
    assert all(size > 0 for size in sizes)
    assert sum(sizes) == model.neuron_model.nbytes() == 6 * 4 * 64 * 65
    assert charged() == [*map(in_pages, sizes), 0, 0, 0, 0]
    inputs = pipeline_models.made("perceptron")[1]
    for _ in range(3):
        model(*inputs)
    assert executions() == [3, 3, 3, 3, 0, 0, 0, 0]
    model.neuron_model.unload()
    assert (charged(), list(ops.core_usage())) == ([0] * 8, [0] * 8)
    model(*inputs)
    assert charged() == [*map(in_pages, sizes), 0, 0, 0, 0]
    del model
    assert charged() == [0] * 8


def a_weight_used_by_two_stages_is_on_both_cores() -> None:
    sizes = reloaded(traced("tied", 3)).neuron_model.stage_bytes()
    embedding = 4 * 50 * 32
    assert sum(sizes) == 2 * embedding + 4 * 32 * 33
    assert sizes[0] >= embedding
    assert sizes[-1] >= embedding


def replicas_are_pipelines_of_their_own() -> None:
    content = traced("perceptron", 3).save_to_buffer()
    with torch_neuron.experimental.multicore_context():
        model = untyped.jit.load(io.BytesIO(content))
    assert model.neuron_model.placement() == [[0, 3], [3, 3]]  # two cores are left over
    sizes = [in_pages(size) for size in model.neuron_model.stage_bytes()]
    assert charged() == [*sizes, *sizes, 0, 0]
    (inputs,) = pipeline_models.made("perceptron")[1]
    for _ in range(4):
        assert torch.equal(model(inputs), expected("perceptron"))
    assert executions() == [2] * 6 + [0, 0]
    assert torch.equal(model(inputs.to("neuron:3")).cpu(), expected("perceptron"))
    assert executions() == [2] * 3 + [3] * 3 + [0, 0]
    with pytest.raises(RuntimeError, match=r"allocated on vnc 1 must be allocated on same vnc as model \(0\)"):
        model(inputs.to("neuron:1"))
    torch_neuron.experimental.set_neuron_cores(model, 5, 3)
    assert (model.neuron_model.placement(), charged()[:5]) == ([[5, 3]], [0] * 5)
    assert torch.equal(model(inputs), expected("perceptron"))


def a_stage_that_does_not_fit_leaves_nothing_behind() -> None:
    content = traced("perceptron", 4).save_to_buffer()
    full = torch.empty(HBM - 1, dtype=torch.uint8, device="neuron:2")
    with pytest.raises(RuntimeError) as caught:
        untyped.jit.load(io.BytesIO(content))
    assert "Could not load the model status=4 message=Allocation Failure" in str(caught.value)
    assert "neuron:2 (NeuronCore 2)" in str(caught.value)
    assert (charged(), list(ops.core_usage())) == ([0] * 8, [0] * 8)
    assert [ops.memory_stats(core)["host_to_device"] for core in range(8)] == [0] * 8  # nothing was sent there either
    del full, caught
    assert untyped.jit.load(io.BytesIO(content)).neuron_model.placement() == [[0, 4]]


def what_cannot_be_cut_runs_on_the_cpu_with_a_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = traced("too small", 2)
    assert [(warning.category, warning.filename.endswith(__file__)) for warning in caught] == [(UserWarning, True)]
    text = "requested number of neuroncore-pipeline-cores (2) may not be suitable for this network: it has 1 operations"
    assert text in str(caught[0].message)
    assert not hasattr(model, "neuron_model")
    inputs = pipeline_models.made("too small")[1]
    assert torch.equal(reloaded(model)(*inputs), model(*inputs))
    with pytest.raises(RuntimeError) as refused:
        traced("too small", 2, fallback=False)
    assert type(refused.value).__name__ == "PipelineRefused"
    assert text in str(refused.value)
    assert not ops.is_initialized()


def random_numbers_are_not_used_up() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    traced("perceptron", 2)
    assert torch.equal(torch.get_rng_state(), before)


def the_callers_threads_stay() -> None:
    torch.set_num_threads(2)
    traced("perceptron", 2)
    assert torch.get_num_threads() == 2


class Meeting(torch.nn.Module):
    """Four stages, each with a place where other requests can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(4))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        for stage, layer in enumerate(self.layers):
            values = untyped.ops.pipelinetest.meet(layer(values), stage)
        return values


class Stages:
    """What happens where: the operator `meet` reports to it."""

    def __init__(self) -> None:
        self.library = untyped.library.Library("pipelinetest", "DEF")
        self.library.define("meet(Tensor values, int stage) -> Tensor")
        self.library.impl("meet", self.meet, "CPU")
        self.barrier: threading.Barrier | None = None
        self.waiting = threading.Semaphore(0)
        self.lock = threading.Lock()
        self.inside = [0] * 4
        self.crowded = False
        self.together = 0

    def meet(self, values: torch.Tensor, stage: int) -> torch.Tensor:
        with self.lock:
            self.inside[stage] += 1
            self.crowded = self.crowded or self.inside[stage] > 1
            self.together = max(self.together, sum(self.inside))
        # the first request waits in the last stage, the second in the one before, and so on
        if self.barrier is not None and threading.current_thread().name == f"meets in {stage}":
            self.waiting.release()
            self.barrier.wait(timeout=60)
        with self.lock:
            self.inside[stage] -= 1
        return values.clone()


def meeting_model(stages: Stages) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Return a four-stage model, an input and what it makes of it."""
    assert stages.barrier is None
    torch.manual_seed(0)
    module, inputs = Meeting().eval(), torch.randn(2, 8)
    file = io.BytesIO()
    untyped.jit.save(untyped.jit.trace(module, (inputs,)), file)
    archive = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    pieces = ops.cut(archive, [inputs], [2, 4, 6])
    model = untyped.classes.neuron.Model([bytes(piece.tolist()) for piece in pieces], 4, "{}")
    with torch.no_grad():
        return model, inputs, module(inputs)


def four_requests_are_in_four_stages_at_once() -> None:
    stages = Stages()
    model, inputs, reference = meeting_model(stages)
    model.load()
    stages.barrier = threading.Barrier(4)
    results: list[torch.Tensor] = []
    threads = [
        threading.Thread(name=f"meets in {stage}", target=lambda: results.append(ops.forward_v2([inputs], model)[0]))
        for stage in (3, 2, 1, 0)
    ]
    for thread in threads:  # each enters when the one before it waits further on
        thread.start()
        assert stages.waiting.acquire(timeout=60)
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(result, reference) for result in results)
    assert (stages.together, stages.crowded) == (4, False)
    assert executions()[:4] == [4] * 4


def many_threads_share_a_pipeline() -> None:
    stages = Stages()
    model, inputs, _ = meeting_model(stages)
    scales = [1.0, -0.5, 2.0, 0.25, 3.0, -1.5]
    references = [ops.forward_v2([inputs * scale], model)[0] for scale in scales]
    wrong: list[float] = []

    def work(index: int) -> None:
        values = inputs * scales[index]
        wrong.extend(
            scales[index] for _ in range(20) if not torch.equal(ops.forward_v2([values], model)[0], references[index])
        )

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(scales))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, stages.crowded) == ([], False)
    assert executions()[:4] == [21 * len(scales)] * 4


@pytest.mark.parametrize(
    "scenario",
    [
        every_stage_has_its_weights_on_its_own_core,
        a_weight_used_by_two_stages_is_on_both_cores,
        replicas_are_pipelines_of_their_own,
        a_stage_that_does_not_fit_leaves_nothing_behind,
        what_cannot_be_cut_runs_on_the_cpu_with_a_warning,
        random_numbers_are_not_used_up,
        the_callers_threads_stay,
        four_requests_are_in_four_stages_at_once,
        many_threads_share_a_pipeline,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_pipeline(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
