"""The sweep itself: what ends a process is named, and what the list of exceptions does not know is told."""

import os
import pathlib
import signal
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from kits.opinfo import operator_checks, operator_comparison, operator_exceptions, operator_sweep

Comparison = operator_comparison.Comparison
Outcome = operator_sweep.Outcome


def misbehave(entry: Any, *, values: bool) -> Comparison | None:
    match entry.name:
        case "abs":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "acos":
            signal.pause()  # for ever
        case "add":
            raise LookupError("no such thing")
        case "all":
            return None
    return Comparison(exact=values)


def sweep_with_misbehaviour() -> operator_sweep.Found:
    operator_checks.CHECKS["misbehave"] = misbehave
    operator_sweep.MOST_SECONDS = 3
    return operator_sweep.sweep(["misbehave"], ["any"], ["abs", "acos", "add", "all", "any", "argmax", "asin"])


@pytest.mark.timeout(300)
def test_sweep_names_what_ends_or_hangs_its_process_and_goes_on(processes: neuron_processes.Parent) -> None:
    found = processes.run({}, sweep_with_misbehaviour)
    assert found == {
        "misbehave": {
            "abs": Outcome("the process ended with -11", crashed=True),
            "acos": Outcome("the process took too long", crashed=True),
            "add": Outcome("the check raised LookupError: no such thing"),
            "all": Outcome(done=False),
            "any": Outcome(exact=False),
            "argmax": Outcome(exact=True),
            "asin": Outcome(exact=True),
        }
    }


LIST = """
undefined_values = ["empty"]
[[exception]]
operators = ["mm", "bmm"]
checks = ["forward"]
reason = "an example"
[[exception]]
operators = ["add"]
checks = ["forward", "out"]
torch = "<2"
reason = "long ago"
"""


@pytest.fixture
def listed(tmp_path: pathlib.Path) -> operator_exceptions.Exceptions:
    path = tmp_path / "list.toml"
    path.write_text(LIST, encoding="utf-8")
    return operator_exceptions.read(path)


def test_exceptions_hold_for_the_versions_they_name(listed: operator_exceptions.Exceptions) -> None:
    assert listed.reasons == {("forward", "mm"): "an example", ("forward", "bmm"): "an example"}
    assert listed.undefined_values == {"empty"}


def test_surprises_are_failures_that_are_not_listed_and_the_reverse(listed: operator_exceptions.Exceptions) -> None:
    found = {"mm": Outcome("differs"), "bmm": Outcome(), "add": Outcome("differs"), "sub": Outcome()}
    assert operator_exceptions.surprises("forward", found, listed) == [
        "add: differs",
        "bmm works: take it off the list",
    ]
    assert operator_exceptions.surprises("out", {}, listed) == []


def test_a_crash_and_an_unknown_name_are_surprises_even_when_listed(listed: operator_exceptions.Exceptions) -> None:
    found = {"mm": Outcome("the process ended with -11", crashed=True)}
    unknown, crash = operator_exceptions.surprises("forward", found, listed)
    assert crash == "mm: the process ended with -11"
    assert unknown.startswith("bmm is listed, but torch ")


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        (torch.ones(2), torch.zeros(2), "values: Tensor-likes are not close!"),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), "dtype torch.float32, not torch.float64"),
        (torch.ones(2), torch.ones(3), "shape torch.Size([2]), not torch.Size([3])"),
        (torch.ones(2, 3), torch.ones(3, 2).t(), "strides (3, 1), not (1, 2)"),
        (torch.eye(2), torch.eye(2).to_sparse(), "layout torch.strided, not torch.sparse_coo"),
        ([torch.ones(2)], [], "1 results in <class 'list'>, not 0"),
        (1, 2, "result 1, not 2"),
        ([1], (1,), "1 results in <class 'list'>, not 1 in <class 'tuple'>"),
    ],
    ids=["values", "dtype", "shape", "strides", "layout", "count", "number", "container"],
)
def test_comparison_finds_what_differs(ours: Any, theirs: Any, difference: str) -> None:
    compared = Comparison()
    compared.compare(ours, theirs, moved=False)
    assert [found[: len(difference)] for found in compared.differences] == [difference]


def test_comparison_tells_near_from_exact_and_ignores_which_nan() -> None:
    near, exact = Comparison(), Comparison()
    near.compare(torch.tensor([1.0000001, float("nan")]), torch.tensor([1.0, float("nan")]), moved=False)
    exact.compare(
        [float("nan"), torch.tensor([float("nan")])], [float("nan"), torch.tensor([float("nan")])], moved=False
    )
    assert (near.differences, near.exact, exact.differences, exact.exact) == ([], False, [], True)


def differences_of_cpu_tensors() -> list[str]:
    tensor, other = torch.ones(2), torch.ones(2)
    compared = Comparison()
    compared.compare(tensor, tensor)
    compared.compare_sharing(tensor[:1], [tensor, other], other, [tensor, tensor])
    return compared.differences


def test_comparison_wants_results_on_the_device_and_the_same_memory_shared(processes: neuron_processes.Parent) -> None:
    assert processes.run({}, differences_of_cpu_tensors) == [
        "result on cpu",
        "results share memory with arguments [[0]], not [[]]",
    ]
