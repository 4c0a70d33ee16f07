"""`torch.classes.neuron.Model`, the compiled model in C++: what loading takes, where it runs, what it gives back."""

import copy
import gc
import io
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

MIB = 1 << 20
HBM = 2 << 30  # of a core of the machine fixture, an Inf1
WIDTH = 512
WEIGHTS = 4 * WIDTH * (WIDTH + 1)  # bytes of one Linear(WIDTH, WIDTH)
CHARGED = -(-WEIGHTS // 4096) * 4096

untyped: Any = torch
"""torch, where it has no types of its own."""
ops: Any = torch.ops.neuron


class Sum(torch.nn.Module):
    """Two inputs, two outputs."""

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return first + second, first - second


class Held(torch.nn.Module):
    """A module around a compiled model, as a trace makes it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        outputs: list[torch.Tensor] = ops.forward_v2([values], self.model)
        return outputs[0]


def linear() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(WIDTH, WIDTH).eval()


def archive_of(module: torch.nn.Module, *inputs: torch.Tensor) -> bytes:
    file = io.BytesIO()
    with torch.no_grad():
        untyped.jit.save(untyped.jit.trace(module, inputs), file)
    return file.getvalue()


def model_of(module: torch.nn.Module, *inputs: torch.Tensor, cores: int = 1) -> Any:
    return untyped.classes.neuron.Model([archive_of(module, *inputs)], cores, '{"made": "here"}')


def saved(model: Any) -> bytes:
    """Return the file of a module around the model, made without using it."""
    holder = torch.nn.Module()
    holder.model = model
    module = untyped.jit.script(holder)
    module.define(
        "def forward(self, x: Tensor) -> Tensor:\n    return torch.ops.neuron.forward_v2([x], self.model)[0]\n"
    )
    file = io.BytesIO()
    untyped.jit.save(module, file)
    return file.getvalue()


def file_of(cores: int = 1) -> bytes:
    return saved(model_of(linear(), torch.ones(1, WIDTH), cores=cores))


def load(content: bytes, **options: Any) -> Any:
    return untyped.jit.load(io.BytesIO(content), **options)


def charged() -> list[int]:
    gc.collect()
    return [ops.memory_stats(core)["models"] for core in range(8)]


def a_new_model_takes_nothing_until_it_is_used() -> None:
    model = model_of(linear(), torch.ones(1, WIDTH))
    assert not ops.is_initialized()
    assert (model.placement(), model.is_loaded(), model.nbytes()) == ([], False, WEIGHTS)
    assert (model.cores_per_model(), model.metadata()) == (1, '{"made": "here"}')
    ops.forward_v2([torch.ones(1, WIDTH)], model)
    assert (model.placement(), model.is_loaded()) == ([[0, 1]], True)
    assert charged() == [CHARGED] + [0] * 7
    model.unload()
    assert (model.placement(), charged(), list(ops.core_usage())) == ([], [0] * 8, [0] * 8)
    del model
    explicit = model_of(linear(), torch.ones(1, WIDTH))
    explicit.load()
    assert explicit.placement() == [[0, 1]]


def loading_a_file_places_and_charges() -> None:
    content = file_of()
    first, second = load(content), load(content)
    assert [first.model.placement(), second.model.placement()] == [[[0, 1]], [[1, 1]]]
    assert charged() == [CHARGED] * 2 + [0] * 6
    assert list(ops.core_usage()) == [1, 1, 0, 0, 0, 0, 0, 0]
    assert second.model.metadata() == '{"made": "here"}'
    del first
    assert charged() == [0, CHARGED] + [0] * 6
    assert load(content).model.placement() == [[0, 1]]
    copied = copy.deepcopy(second)
    assert copied.model.placement() == [[0, 1]]
    third = load(content, map_location="neuron:5")
    assert third.model.placement() == [[2, 1]]  # map_location is for tensors, not for compiled models
    inputs = torch.ones(1, WIDTH)
    assert torch.equal(third(inputs), copied(inputs))


def a_pipelined_model_spreads_its_weights() -> None:
    model = load(file_of(cores=3)).model
    share = -(-WEIGHTS // 3 // 4096) * 4096
    assert (model.placement(), charged()) == ([[0, 3]], [share] * 3 + [0] * 5)
    assert list(ops.core_usage()) == [1, 1, 1, 0, 0, 0, 0, 0]


def lazy_models_wait_for_their_first_use() -> None:
    model = model_of(linear(), torch.ones(1, WIDTH))
    model.set_lazy_load(True)
    model.set_metadata("{}")
    loaded = load(saved(model))
    assert (loaded.model.lazy_load(), loaded.model.metadata(), loaded.model.placement()) == (True, "{}", [])
    loaded(torch.ones(1, WIDTH))
    assert loaded.model.placement() == [[0, 1]]


def replicas_take_turns() -> None:
    content = file_of(cores=2)
    ops.set_default_cores(2, 5)
    loaded = load(content)
    ops.set_default_cores(-1, -1)
    assert loaded.model.placement() == [[2, 2], [4, 2]]
    share = -(-WEIGHTS // 2 // 4096) * 4096
    assert charged() == [0, 0, share, share, share, share, 0, 0]
    inputs = torch.randn(3, WIDTH)
    expected = linear()(inputs).detach()
    for _ in range(4):
        assert torch.equal(loaded(inputs), expected)
    assert [ops.memory_stats(core)["executions"] for core in range(8)] == [0, 0, 2, 2, 2, 2, 0, 0]
    for core in (2, 4):  # an input on a core goes to the replica that begins there
        assert loaded(inputs.to(f"neuron:{core}")).device.index == core
    for core, message in ((3, "vnc 3 must be allocated on same vnc as model (2)"), (0, "vnc 0 must be")):
        with pytest.raises(RuntimeError) as caught:
            loaded(inputs.to(f"neuron:{core}"))
        assert f"Tensor input0 allocated on {message}" in str(caught.value)


def moving_unloads_and_loads_again() -> None:
    loaded = load(file_of())
    inputs = torch.randn(2, WIDTH)
    expected = loaded(inputs)
    loaded.model.set_neuron_devices(5, -1)
    assert (loaded.model.placement(), charged()) == ([[5, 1]], [0] * 5 + [CHARGED, 0, 0])
    assert torch.equal(loaded(inputs.to("neuron:5")).cpu(), expected)
    loaded.model.set_neuron_devices(0, 8)
    assert loaded.model.placement() == [[core, 1] for core in range(8)]
    loaded.model.unload()
    assert charged() == [0] * 8
    assert torch.equal(loaded(inputs), expected)
    assert len(loaded.model.placement()) == 8  # loaded again where it was


def outputs_stay_all_or_not_at_all() -> None:
    first, second = torch.randn(2, 2), torch.randn(2, 2)
    model = model_of(Sum(), first, second)
    model.set_neuron_devices(1, -1)
    there = [value.to("neuron:1") for value in (first, second)]
    for inputs, device in (
        (there, "neuron:1"),
        ([there[0], second], "cpu"),
        ([first, there[1]], "cpu"),
        ([first, second], "cpu"),
    ):
        outputs = ops.forward_v2(inputs, model)
        assert [str(output.device) for output in outputs] == [device] * 2
        for output, expected in zip(outputs, Sum()(first, second), strict=True):
            assert torch.equal(output.cpu(), expected)
    with pytest.raises(
        RuntimeError, match=r"Tensor input1 allocated on vnc 0 must be allocated on same vnc as model \(1\)"
    ):
        ops.forward_v2([there[0], second.to("neuron:0")], model)
    model.set_neuron_devices(0, 2)  # one replica on each: the inputs of a call are still for one of them
    with pytest.raises(RuntimeError, match=r"Tensor input1 allocated on vnc 1 must be .* model \(0\)"):
        ops.forward_v2([first.to("neuron:0"), second.to("neuron:1")], model)


class Same(torch.nn.Module):
    """Returns its input and its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return values.view(2), self.weight


def outputs_share_no_memory_with_inputs_or_weights() -> None:
    model = model_of(Same(), torch.zeros(2))
    for inputs in (torch.zeros(2), torch.zeros(2, device="neuron:0")):
        for output in ops.forward_v2([inputs], model):
            output.add_(5)
        assert inputs.sum().item() == 0
        assert ops.forward_v2([inputs], model)[1].sum().item() == 2


def outputs_have_no_gradient_whatever_the_inputs_have() -> None:
    model = model_of(Same(), torch.zeros(2))
    for place in ("cpu", "neuron:0"):
        inputs = torch.zeros(2, device=place, requires_grad=True)
        assert [output.requires_grad for output in ops.forward_v2([inputs], model)] == [False, False]


class Twice(torch.nn.Module):
    """Returns one tensor in two shapes, and two halves of another."""

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        double = values * 2
        return double, double.view(2, 2), *(values + 1).chunk(2)


def outputs_share_no_memory_with_each_other() -> None:
    model = model_of(Twice(), torch.zeros(4))
    for inputs in (torch.zeros(4), torch.zeros(4, device="neuron:0")):
        outputs = ops.forward_v2([inputs], model)
        outputs[0].add_(5)
        outputs[2].add_(5)
        assert [output.flatten().tolist() for output in outputs] == [[5] * 4, [0] * 4, [6] * 2, [1] * 2]
        assert len({output.untyped_storage().data_ptr() for output in outputs}) == len(outputs)


def calls_inside_a_trace_stay_one_operator() -> None:
    model = model_of(linear(), torch.ones(1, WIDTH))
    traced = untyped.jit.trace(Held(model), (torch.ones(1, WIDTH),), check_trace=False)
    model.set_signature([torch.ones(1, WIDTH)], ["values"], 1, 0)
    model.set_dynamic_batch(True)
    batched = untyped.jit.trace(Held(model), (torch.ones(4, WIDTH),), check_trace=False)
    for graph in (traced.graph, batched.graph):
        kinds = [node.kind() for node in graph.nodes()]
        assert kinds.count("neuron::forward_v2") == 1
        assert not any(kind.startswith("aten::") for kind in kinds)
    inputs = torch.randn(4, WIDTH, requires_grad=True)
    outputs = traced(inputs)
    assert not outputs.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(traced(inputs), outputs)


def a_refused_move_changes_nothing() -> None:
    module, inputs = linear(), torch.ones(1, WIDTH)
    model = model_of(module, inputs)
    for placed in (False, True):
        if placed:
            model.set_neuron_devices(1, 1)
        before = model.standing()
        with pytest.raises(RuntimeError, match="Could not find VNC id 99"):
            model.set_neuron_devices(99, 1)
        assert (model.standing(), model.is_loaded()) == (before, placed)
    assert torch.allclose(ops.forward_v2([inputs], model)[0], module(inputs))


def threads_run_one_model() -> None:
    loaded = load(file_of())
    inputs = torch.randn(2, WIDTH)
    expected = loaded(inputs)
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(1 for _ in range(50) if not torch.equal(loaded(inputs), expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert ops.memory_stats(0)["executions"] == 201


def threads_may_use_a_new_model_first() -> None:
    model = model_of(linear(), torch.ones(1, WIDTH))
    threads = [threading.Thread(target=ops.forward_v2, args=([torch.ones(1, WIDTH)], model)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (model.placement(), list(ops.core_usage())[:2]) == ([[0, 1]], [1, 0])


def what_does_not_fit_is_refused_and_takes_nothing() -> None:
    content = file_of()
    full = torch.empty(HBM - CHARGED + 1, dtype=torch.uint8, device="neuron:0")
    with pytest.raises(RuntimeError) as caught:
        load(content)
    assert "Could not load the model status=4 message=Allocation Failure" in str(caught.value)
    assert "neuron:0 (NeuronCore 0): 2.00 GiB in total" in str(caught.value)
    assert (charged(), list(ops.core_usage())) == ([0] * 8, [0] * 8)
    del full, caught
    assert load(content).model.placement() == [[0, 1]]


def too_few_cores_are_named() -> None:
    content = file_of(cores=9)
    for (start, count), missing in {(-1, -1): 8, (8, -1): 8, (40, -1): 40}.items():
        ops.set_default_cores(start, count)
        with pytest.raises(RuntimeError, match=f"Could not find VNC id {missing}: .* owns 8 .0 to 7."):
            load(content)
    ops.set_default_cores(0, 8)
    with pytest.raises(RuntimeError, match="the model needs 9 NeuronCores, but nc_count=8 was asked for"):
        load(content)
    assert list(ops.core_usage()) == [0] * 8


def what_is_no_archive_is_refused() -> None:
    with pytest.raises(RuntimeError, match="zip archive"):
        untyped.classes.neuron.Model([b"nothing"], 1, "{}").load()
    with pytest.raises(RuntimeError, match="needs 1 to 127 NeuronCores, got 0"):
        untyped.classes.neuron.Model([b"nothing"], 0, "{}")
    with pytest.raises(RuntimeError, match="one archive, or one for each of its 3 NeuronCores, got 2"):
        untyped.classes.neuron.Model([b"nothing"] * 2, 3, "{}")
    assert sum(ops.core_usage()) == 0


def closing_needs_an_empty_device() -> None:
    loaded, tensor = load(file_of()), torch.ones(1, device="neuron:0")
    with pytest.raises(RuntimeError, match="1 tensor storages and 1 loaded models are alive"):
        ops.shutdown()
    assert tensor.item() == 1
    del loaded, tensor
    gc.collect()
    ops.shutdown()
    assert not ops.is_initialized()
    ops.shutdown()


def a_forked_child_can_let_a_model_go() -> None:
    loaded = load(file_of())
    if (child := os.fork()) == 0:
        with pytest.raises(RuntimeError, match="forked child process"):
            loaded(torch.ones(1, WIDTH))
        del loaded
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert loaded.model.placement() == [[0, 1]]


def models_count_in_memory_statistics() -> None:
    loaded = load(file_of())
    stats = device_module.memory_stats(0)
    assert (stats["model_bytes"], stats["allocated_bytes"]["current"]) == (CHARGED, CHARGED)
    assert stats["host_to_device_bytes"] == WEIGHTS
    loaded(torch.ones(1, WIDTH))
    stats = device_module.memory_stats(0)
    assert stats["host_to_device_bytes"] - WEIGHTS == stats["device_to_host_bytes"] == 4 * WIDTH
    assert stats["busy_nanoseconds"] > 0


@pytest.mark.parametrize(
    "scenario",
    [
        a_new_model_takes_nothing_until_it_is_used,
        loading_a_file_places_and_charges,
        a_pipelined_model_spreads_its_weights,
        lazy_models_wait_for_their_first_use,
        replicas_take_turns,
        moving_unloads_and_loads_again,
        outputs_stay_all_or_not_at_all,
        outputs_share_no_memory_with_inputs_or_weights,
        outputs_share_no_memory_with_each_other,
        outputs_have_no_gradient_whatever_the_inputs_have,
        calls_inside_a_trace_stay_one_operator,
        a_refused_move_changes_nothing,
        threads_run_one_model,
        threads_may_use_a_new_model_first,
        what_does_not_fit_is_refused_and_takes_nothing,
        too_few_cores_are_named,
        what_is_no_archive_is_refused,
        closing_needs_an_empty_device,
        a_forked_child_can_let_a_model_go,
        models_count_in_memory_statistics,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_cpp_model(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
