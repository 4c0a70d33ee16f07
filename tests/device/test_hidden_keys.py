"""Operators without autograd's dispatch keys, as compiled programs run them, against the same with the keys.

`make test` takes every fourth operator, of recorded programs every eighth, and `make test-hidden-keys` all of them.
"""

import os
import sys
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from kits.opinfo import hidden_keys, operator_database, operator_exceptions, operator_sweep

EVERY = int(os.environ.get("HIDDEN_KEYS_EVERY", "8"))  # noqa: TID251 - the tests have no settings module
CALLED = max(1, EVERY // 2)
"""A single call costs half as much as a program."""


def swept(check: str, every: int, undefined: frozenset[str]) -> dict[str, operator_sweep.Outcome]:
    names = list(operator_database.operators())[::every]
    return operator_sweep.sweep([check], undefined, names)[check]


def told(check: str, found: dict[str, operator_sweep.Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    done = [outcome for outcome in found.values() if outcome.done]
    with capsys.disabled():
        samples = sum(outcome.samples for outcome in done)
        sys.stdout.write(f"\n{check}: {len(done)} of {len(found)} operators, {samples} calls\n")


@pytest.mark.timeout(3600)  # torch's database, operator by operator
@pytest.mark.parametrize(
    ("check", "every", "least"), [("keys_hidden", CALLED, 640 // CALLED), ("as_a_program", EVERY, 480 // EVERY)]
)
def test_operators_do_without_the_keys_what_they_do_with_them(
    check: str,
    every: int,
    least: int,
    processes: neuron_processes.Parent,
    exceptions: operator_exceptions.Exceptions,
    machine: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = processes.run(machine | {"NEURON_RT_NUM_CORES": "1"}, swept, check, every, exceptions.undefined_values)
    told(check, found, capsys)
    assert not [f"{name}: {outcome.problem}" for name, outcome in found.items() if outcome.problem]
    assert sum(outcome.done for outcome in found.values()) >= least


def probed() -> list[list[float]]:
    untyped: Any = torch
    library = untyped.library.Library("neuronspan_keys", "DEF")
    library.define("probe(Tensor x) -> Tensor")
    for key, value in (("CPU", 1.0), ("AutogradCPU", 2.0)):
        library.impl("probe", lambda x, value=value: torch.full_like(x, value), key)
    x = torch.zeros(1)
    seen = [untyped.ops.neuronspan_keys.probe(x).tolist()]
    for followed in (False, True):
        with hidden_keys.hidden(followed=followed):
            seen.append(untyped.ops.neuronspan_keys.probe(x).tolist())
            before = x._version
            x.add_(0)
            seen.append([x._version - before])
    return seen


def test_keys_are_hidden_where_these_tests_say_so(processes: neuron_processes.Parent) -> None:
    """Of a call without keys, torch runs the CPU's kernel, and no version is counted unless views are followed."""
    assert processes.run({}, probed) == [[2.0], [1.0], [0], [1.0], [1]]
