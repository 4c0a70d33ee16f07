"""How a compiled model runs in C++: one at a time per core, with one thread, without anything of the caller's modes."""

import io
import itertools
import pathlib
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

import torch_neuronx
from kits.device import neuron_processes

untyped: Any = torch
"""torch, where it has no types of its own."""
ops: Any = torch.ops.neuron


def model_of(source: str, *, cores: int = 1, **attributes: object) -> Any:
    """Return a compiled model whose `forward` has this TorchScript source; one archive for all of its cores."""
    holder = type("Holder", (torch.nn.Module,), {})()  # modules of one class share their methods
    for name, value in attributes.items():
        setattr(holder, name, value)
    module = untyped.jit.script(holder)
    module.define(source)
    file = io.BytesIO()
    untyped.jit.save(module, file)
    return untyped.classes.neuron.Model([file.getvalue()], cores, "{}")


def large_model() -> Any:
    """Long operators, which torch would share out between threads."""
    return model_of("def forward(self, x: Tensor) -> Tensor:\n    return (x @ x).exp() + x\n")


def tasks() -> int:
    """How many threads this process has, those of torch's pools too."""
    return len(list(pathlib.Path("/proc/self/task").iterdir()))


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def a_model_runs_in_one_thread_and_the_caller_keeps_its_own() -> None:
    torch.set_num_threads(1)
    model, values = large_model(), torch.ones(512, 512)
    ops.forward_v2([values], model)
    torch.set_num_threads(3)
    before = tasks()
    ops.forward_v2([values], model)
    assert tasks() == before  # torch starts its helpers when they are first needed
    assert torch.get_num_threads() == 3
    (values + values).exp()
    assert tasks() == before + 2


def a_failed_run_leaves_the_core_and_the_threads_as_they_were() -> None:
    torch.set_num_threads(3)
    failing = model_of('def forward(self, x: Tensor) -> Tensor:\n    raise RuntimeError("not today")\n')
    with pytest.raises(untyped.jit.Error, match="not today"):
        ops.forward_v2([torch.ones(2, 2)], failing)
    assert torch.get_num_threads() == 3
    assert ops.forward_v2([torch.zeros(1, 1)], large_model())[0].item() == 1


def threads_that_begin_meanwhile_have_the_programs_setting() -> None:
    torch.set_num_threads(2)
    model, values = large_model(), torch.ones(8, 8)
    done = threading.Event()

    def call() -> None:
        while not done.is_set():
            ops.forward_v2([values], model)

    caller = threading.Thread(target=call)
    caller.start()
    others: list[int] = []
    for _ in range(50):
        in_threads(2, lambda: others.append(torch.get_num_threads()))
    done.set()
    caller.join()
    assert others == [2] * 100


COUNTING = """
def forward(self, x: Tensor) -> Tensor:
    self.inside = self.inside + 1
    y = x
    for _ in range(20):
        y = y @ x
    most = self.inside
    self.inside = self.inside - 1
    return torch.tensor([most])
"""


def a_core_runs_one_model_at_a_time() -> None:
    model, values = model_of(COUNTING, inside=0), torch.eye(32)
    most: list[float] = []

    def call() -> None:
        most.extend(ops.forward_v2([values], model)[0].item() for _ in range(100))

    in_threads(8, call)
    assert most == [1] * 800
    assert ops.memory_stats(0)["executions"] == 800


def models_on_overlapping_spans_wait_for_each_other() -> None:
    """Cores 0-1, 1-2 and 2-3 in threads: spans that were taken in different orders would wait in a ring."""
    models = [model_of("def forward(self, x: Tensor) -> Tensor:\n    return x @ x\n", cores=2) for _ in range(3)]
    for first, model in enumerate(models):
        model.set_neuron_devices(first, 2)
    values = torch.eye(16)

    def call() -> None:
        for _ in range(30):
            for model in models:
                ops.forward_v2([values], model)

    in_threads(6, call)
    assert [ops.memory_stats(core)["executions"] for core in range(4)] == [180, 360, 360, 180]


def a_model_inside_another_one_runs_in_its_turn() -> None:
    """Waiting for its own caller would be for ever, and so would be a turn that was left twice."""
    ops.set_default_cores(0, 1)
    inner = model_of("def forward(self, x: Tensor) -> Tensor:\n    return x * 2\n")
    source = "def forward(self, x: Tensor) -> Tensor:\n    return torch.ops.neuron.forward_v2([x], self.inner)[0] + 1\n"
    outer = model_of(source, inner=inner)
    for _ in range(3):
        assert ops.forward_v2([torch.ones(2)], outer)[0].tolist() == [3, 3]
    assert outer.placement() == [[0, 1]]
    assert ops.memory_stats(0)["executions"] == 6


def the_number_of_inputs_is_checked() -> None:
    model = large_model()
    for inputs in ([], [torch.zeros(1)] * 2):
        with pytest.raises(RuntimeError, match=f"the compiled model takes 1 input tensors, got {len(inputs)}"):
            ops.forward_v2(inputs, model)
    assert ops.forward_v2([torch.zeros(1, 1)], model)[0].item() == 1


def the_first_call_computes_what_the_thousandth_does() -> None:
    """torch's own executor may batch products of one matrix after two calls, and then rounds otherwise."""
    torch.set_num_threads(1)  # more of them may round otherwise, too
    source = "def forward(self, x: Tensor) -> Tensor:\n    return " + " + ".join(
        f"x.mm(self.w{index})" for index in range(6)
    )
    weights: dict[str, Any] = {f"w{index}": torch.nn.Parameter(torch.randn(64, 64)) for index in range(6)}
    model, values = model_of(source + "\n", **weights), torch.randn(5, 64)
    expected = values.mm(weights["w0"])
    for index in range(1, 6):
        expected = expected + values.mm(weights[f"w{index}"])
    results = [ops.forward_v2([values], model)[0] for _ in range(6)]
    assert all(torch.equal(result, expected.detach()) for result in results)
    assert not any(result.requires_grad for result in results)


def a_model_from_a_file_runs_without_calls() -> None:
    inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())
    module = torch.nn.Sequential(inner, torch.nn.Sequential(torch.nn.Linear(2, 2)))
    example = torch.ones(1, 2)
    file = io.BytesIO()
    untyped.jit.save(torch_neuronx.trace(module, example), file)
    file.seek(0)
    loaded = untyped.jit.load(file)
    loaded(example)
    with untyped.autograd.profiler.profile(use_kineto=False) as profile:
        loaded(example)
    names = [event.name for event in profile.function_events]
    assert names.count("aten::linear") == 2
    assert names.count("forward") == 2  # the file's own method, and the compiled model; none of its parts


def a_weight_that_could_be_trained_multiplies_as_torchs_own_does() -> None:
    """torch's matmul asks the transpose of the weight whether it requires a gradient, and rounds otherwise then."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    product = "torch.nn.functional.linear(x.transpose(0, 1), self.w, self.b)"
    weight, bias, values = torch.randn(96, 32), torch.randn(96), torch.randn(2, 17, 32)
    for trainable in (True, False):
        weights: Any = {"w": torch.nn.Parameter(weight, trainable), "b": torch.nn.Parameter(bias, trainable)}
        with torch.no_grad():
            expected = torch.nn.functional.linear(values.transpose(0, 1), weights["w"], weights["b"])
        model = model_of(f"def forward(self, x: Tensor) -> Tensor:\n    return {product}\n", **weights)
        assert torch.equal(ops.forward_v2([values], model)[0], expected)


def transposes_seen() -> tuple[list[torch.Size], Any]:
    """Every transpose that is followed as a view from now on; and what makes it stop, when it is dropped."""
    seen: list[torch.Size] = []
    library = untyped.library.Library("aten", "IMPL")
    below = untyped._C.DispatchKeySet(untyped._C.DispatchKey.ADInplaceOrView)

    def followed(values: torch.Tensor) -> torch.Tensor:
        seen.append(values.shape)
        with untyped._C._ExcludeDispatchKeyGuard(below):
            return values.t()

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning only once for all operators")  # torch 2.6 warns of replacing its own
        library.impl("t", followed, "ADInplaceOrView")
    return seen, library


LINEAR = "def forward(self, x: Tensor) -> Tensor:\n    return torch.nn.functional.linear({x}, self.w, {b})\n"
BRANCHED = """
def forward(self, x: Tensor) -> Tensor:
    if bool(x.sum() > 1e9):
        return x
    return torch.nn.functional.linear(x, self.w, self.b)
"""


def linear_layers_follow_views_only_where_somebody_asks() -> None:
    """Of a matrix or a vector nobody does, in a branch neither; what is written meanwhile still counts."""
    weights: Any = {"w": torch.nn.Parameter(torch.randn(5, 3)), "b": torch.nn.Parameter(torch.randn(5))}
    made = [model_of(LINEAR.format(x="x", b=bias), **weights) for bias in ("self.b", "None")]
    made += [model_of(BRANCHED, **weights), model_of(LINEAR.format(x="x.add_(0)", b="self.b"), **weights)]
    seen, library = transposes_seen()
    for model in made:
        for shape in ((3,), (2, 3)):
            ops.forward_v2([torch.randn(shape)], model)
    assert seen == []
    ops.forward_v2([torch.randn(2, 4, 3)], made[1])
    assert seen == [torch.Size([5, 3])]
    del library


def linear_layers_compute_torchs_bits_with_weights_of_every_kind() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shapes = ((32,), (0, 32), (1, 32), (17, 32), (2, 17, 32), (2, 3, 5, 32))
    for trainable, bias, turned in itertools.product((True, False), (True, False), (True, False)):
        weights: Any = {"w": torch.nn.Parameter(torch.randn(96, 32), trainable)}
        weights["b"] = torch.nn.Parameter(torch.randn(96), trainable)
        model = model_of(LINEAR.format(x="x", b="self.b" if bias else "None"), **weights)
        for shape in shapes:
            values = torch.randn(shape)
            values = values.transpose(0, -2).contiguous().transpose(0, -2) if turned and len(shape) > 1 else values
            with torch.no_grad():
                expected = torch.nn.functional.linear(values, weights["w"], weights["b"] if bias else None)
            assert torch.equal(ops.forward_v2([values], model)[0], expected)


def writing_to_an_input_counts_as_a_new_version_of_it() -> None:
    """Else autograd would take the changed input for the one that it saved."""
    model = model_of("def forward(self, x: Tensor) -> Tensor:\n    x.add_(1)\n    return x * 2\n")
    values, weight = torch.ones(2), torch.ones(2, requires_grad=True)
    loss: Any = (values * weight).sum()
    assert ops.forward_v2([values], model)[0].tolist() == [4, 4]
    assert values.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def writing_in_a_branch_counts_as_a_new_version_too() -> None:
    source = "def forward(self, x: Tensor) -> Tensor:\n    if bool(x.sum() > 0):\n        x.add_(1)\n    return x * 2\n"
    values = torch.ones(2)
    before = values._version
    assert ops.forward_v2([values], model_of(source))[0].tolist() == [4, 4]
    assert values._version == before + 1


def no_kernel_of_autograd_runs_inside() -> None:
    """They would cost a third of a small model's time, and find nothing to do: a compiled model has no gradient."""
    library = untyped.library.Library("neuronspan_seen", "DEF")
    library.define("probe(Tensor x) -> Tensor")
    library.impl("probe", lambda x: x + 1, "CPU")
    library.impl("probe", lambda x: x + 100, "AutogradCPU")
    model = model_of("def forward(self, x: Tensor) -> Tensor:\n    return torch.ops.neuronspan_seen.probe(x)\n")
    for values in (torch.zeros(2), torch.zeros(2, requires_grad=True)):
        assert untyped.ops.neuronspan_seen.probe(values).tolist() == [100, 100]
        assert ops.forward_v2([values], model)[0].tolist() == [1, 1]


def results_are_tensors_like_any_other() -> None:
    """Not inference tensors, and their version counter counts: a training step may go on from them."""
    model = model_of("def forward(self, x: Tensor) -> Tensor:\n    return (x * 2).t()\n")
    result = ops.forward_v2([torch.ones(2, 3)], model)[0]
    assert not result.is_inference()
    weight = torch.ones(3, 2, requires_grad=True)
    loss = (result * weight).sum()
    version = result._version
    result.add_(1)
    assert result._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize(
    "scenario",
    [
        a_model_runs_in_one_thread_and_the_caller_keeps_its_own,
        a_failed_run_leaves_the_core_and_the_threads_as_they_were,
        threads_that_begin_meanwhile_have_the_programs_setting,
        a_core_runs_one_model_at_a_time,
        models_on_overlapping_spans_wait_for_each_other,
        a_model_inside_another_one_runs_in_its_turn,
        the_number_of_inputs_is_checked,
        the_first_call_computes_what_the_thousandth_does,
        a_model_from_a_file_runs_without_calls,
        a_weight_that_could_be_trained_multiplies_as_torchs_own_does,
        linear_layers_follow_views_only_where_somebody_asks,
        linear_layers_compute_torchs_bits_with_weights_of_every_kind,
        writing_to_an_input_counts_as_a_new_version_of_it,
        writing_in_a_branch_counts_as_a_new_version_too,
        no_kernel_of_autograd_runs_inside,
        results_are_tensors_like_any_other,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_cpp_executor(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)
