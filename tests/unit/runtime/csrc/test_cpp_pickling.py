"""What is in a model's file: all that was set, and nothing is believed that cannot be right."""

import copy
import io
import itertools
from typing import Any

import pytest
import torch

from kits.device import neuron_processes

untyped: Any = torch
"""torch, where it has no types of its own."""
ops: Any = torch.ops.neuron
FLAGS = list(itertools.product((False, True), repeat=3))


def model(states: int = 0) -> Any:
    file = io.BytesIO()
    untyped.jit.save(untyped.jit.trace(torch.nn.ReLU(), (torch.ones(2, 3),)), file)
    made = untyped.classes.neuron.Model([file.getvalue()], 1, '{"made": "here"}')
    made.set_signature([torch.ones(2, 3), torch.ones(4, dtype=torch.int64)], ["values", "state"], 1, states)
    return made


def flags_of_copies() -> list[tuple[bool, bool, bool]]:
    original, found = model(), []
    for lazy, background, dynamic in FLAGS:
        original.set_lazy_load(lazy)
        original.set_async_load(background)
        original.set_dynamic_batch(dynamic)
        copied = copy.deepcopy(original)
        found.append((copied.lazy_load(), copied.async_load(), copied.dynamic_batch()))
    return found


def test_every_option_is_restored_whatever_the_others_are(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, flags_of_copies) == FLAGS


def contents_of_a_copy() -> tuple[str, int, list[str]]:
    copied = copy.deepcopy(copy.deepcopy(model()))
    said = []
    for inputs in (
        [torch.ones(3, 3), torch.ones(4, dtype=torch.int64)],
        [torch.ones(2, 3), torch.ones(4)],
        [torch.ones(2, 3)],
    ):
        with pytest.raises(RuntimeError) as caught:
            ops.forward_v2(inputs, copied)
        said.append(str(caught.value).partition(". ")[0].splitlines()[0])
    return copied.metadata(), copied.cores_per_model(), said


def test_signature_and_metadata_are_restored(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    metadata, cores, said = processes.run(machine, contents_of_a_copy)
    assert (metadata, cores) == ('{"made": "here"}', 1)
    assert said == [
        "Incorrect tensor shape at input tensor #0 (values): received Float [3, 3], expected Float [2, 3]",
        "Incorrect tensor type at input tensor #1 (state): received Float [4], expected Long [4]",
        "the compiled model takes 2 tensors, got 1",
    ]


def batch_of_a_copy() -> str:
    copied = copy.deepcopy(model(states=1))
    with pytest.raises(RuntimeError) as caught:
        copied.set_dynamic_batch(True)
    return str(caught.value).splitlines()[0]


def test_states_are_restored(processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    said = processes.run(machine, batch_of_a_copy)
    assert said == "dynamic batching is not for a model that keeps state between calls (input_output_aliases)"


def restored_from(changed: tuple[Any, ...]) -> str:
    original = model()
    (code, options, _), name = original.__getstate__()
    empty = original.__new__(type(original))
    with pytest.raises(RuntimeError) as caught:
        empty.__setstate__(((code, options, changed), name))
    return str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((([], [[2]], [6]), 0, 0), "is damaged: 0 names, 1 shapes, 1 types. Trace the model again"),
        (((["x"], [[2]], []), 0, 0), "is damaged: 1 names, 1 shapes, 0 types. Trace the model again"),
        (((["x"], [[2]], [-1]), 1, 0), "the file says that x has type -1, which this torch does not know"),
        (((["x"], [[2]], [1000]), 1, 0), "the file says that x has type 1000, which this torch does not know"),
        (((["x"], [[2]], [6]), 1, 1), "a signature of 1 tensors cannot have 1 arguments and 1 states"),
        (((["x"], [[2]], [6]), -1, 0), "a signature of 1 tensors cannot have -1 arguments and 0 states"),
    ],
)
def test_damaged_signature_is_refused(
    changed: tuple[Any, ...], said: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert said in processes.run(machine, restored_from, changed)
