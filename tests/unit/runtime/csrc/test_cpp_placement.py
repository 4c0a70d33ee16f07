"""Where C++ puts models: tables of loads and the cores they must get, on a machine with 8 NeuronCores."""

import io
from typing import Any

import pytest
import torch

from kits.device import neuron_processes

untyped: Any = torch
ops: Any = torch.ops.neuron


def placements(
    groups: tuple[int, ...], loads: tuple[int | str, ...], default: tuple[int, int] = (-1, -1)
) -> list[list[list[int]]]:
    """Load models in turn and return their replicas; an int is the cores needed, "-n" unloads number n."""
    ops.configure(8, 1 << 30, 0, groups=list(groups))
    ops.set_default_cores(*default)
    file = io.BytesIO()
    untyped.jit.save(untyped.jit.trace(torch.nn.Identity(), (torch.ones(1),)), file)
    models: list[Any] = []
    found = []
    for load in loads:
        if isinstance(load, str):
            models[-int(load)].unload()
            continue
        models.append(untyped.classes.neuron.Model([file.getvalue()], load, "{}"))
        models[-1].load()
        found.append([list(span) for span in models[-1].placement()])
    return found


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        pytest.param((1, 1, 1), [[[0, 1]], [[1, 1]], [[2, 1]]], id="one-core-models-in-order"),
        pytest.param((1,) * 9, [[[core % 8, 1]] for core in range(9)], id="around-again-when-all-are-used"),
        pytest.param((1, 2, 1), [[[0, 1]], [[1, 2]], [[3, 1]]], id="least-used-run"),
        pytest.param((4, 4, 4), [[[0, 4]], [[4, 4]], [[0, 4]]], id="pipelined-models-share-when-they-must"),
        pytest.param((1, 8, 1), [[[0, 1]], [[0, 8]], [[1, 1]]], id="overlap-then-the-less-used-core"),
        pytest.param((1, 1, 1, "-1", 1), [[[0, 1]], [[1, 1]], [[2, 1]], [[1, 1]]], id="an-unloaded-core-is-least-used"),
        pytest.param(
            (3, 3, 3), [[[0, 3]], [[3, 3]], [[5, 3]]], id="the-run-whose-busiest-core-is-least-used-at-the-end"
        ),
    ],
)
def test_cpp_placement_takes_the_least_used_cores(
    loads: tuple[int | str, ...],
    expected: list[list[list[int]]],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, placements, (), loads) == expected


@pytest.mark.parametrize(
    ("groups", "loads", "expected"),
    [
        pytest.param((4,), (4,), [[[0, 4]]], id="one-group"),
        pytest.param((3, 4, 1), (3, 4, 1), [[[0, 3]], [[3, 4]], [[7, 1]]], id="one-group-for-each-model"),
        pytest.param(
            (2, 2), (2, 2, 1, 1, 1), [[[0, 2]], [[2, 2]], [[0, 1]], [[2, 1]], [[0, 1]]], id="starts-of-groups"
        ),
        pytest.param((2, 2), (2, 2, 3), [[[0, 2]], [[2, 2]], [[0, 3]]], id="spills-over-groups"),
        pytest.param((2, 2, 2, 2), (2, 2, 4), [[[0, 2]], [[2, 2]], [[4, 4]]], id="spills-up-to-the-last-core"),
        pytest.param((2, 2, 2, 2), (2,) * 4, [[[0, 2]], [[2, 2]], [[4, 2]], [[6, 2]]], id="copies"),
        pytest.param((1, 4), (4, 1), [[[1, 4]], [[0, 1]]], id="the-group-it-fits-in"),
        pytest.param((7, 1), (8,), [[[0, 8]]], id="more-than-any-group"),
    ],
)
def test_cpp_placement_follows_groups(
    groups: tuple[int, ...],
    loads: tuple[int | str, ...],
    expected: list[list[list[int]]],
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine, placements, groups, loads) == expected


@pytest.mark.parametrize(
    ("default", "groups", "needed", "expected"),
    [
        pytest.param((2, -1), (), 2, [[2, 2]], id="start"),
        pytest.param((2, 4), (), 2, [[2, 2], [4, 2]], id="replicas"),
        pytest.param((0, 8), (), 3, [[0, 3], [3, 3]], id="the-rest-is-left"),
        pytest.param((-1, 4), (), 2, [[0, 2], [2, 2]], id="replicas-on-the-least-used"),
        pytest.param((5, -1), (2, 2), 1, [[5, 1]], id="beats-groups"),
        pytest.param((6, 3), (), 1, "Could not find VNC id 8", id="beyond-the-last-core"),
        pytest.param((9, -1), (), 1, "Could not find VNC id 9", id="start-beyond-the-last-core"),
        pytest.param((0, 1), (), 2, "needs 2 NeuronCores, but nc_count=1", id="too-few"),
    ],
)
def test_cpp_placement_obeys_the_process_default(
    default: tuple[int, int],
    groups: tuple[int, ...],
    needed: int,
    expected: list[list[int]] | str,
    processes: neuron_processes.Parent,
    machine: dict[str, str],
) -> None:
    if isinstance(expected, str):
        with pytest.raises(neuron_processes.ScenarioFailed, match=expected):
            processes.run(machine, placements, groups, (needed,), default)
    else:
        assert processes.run(machine, placements, groups, (needed,), default) == [expected]


def test_cpp_placement_looks_for_room_for_whole_replicas_only(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    found = processes.run(machine, placements, (), (3, 3, 2), (-1, 3))
    assert found == [[[0, 3]], [[3, 3]], [[6, 2]]]  # two free cores at the end are enough: the third would be unused


@pytest.mark.parametrize("sizes", [(3, 6), (0, 2), (-1,)], ids=str)
def test_cpp_placement_refuses_groups_that_do_not_fit(
    sizes: tuple[int, ...], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    with pytest.raises(neuron_processes.ScenarioFailed, match="must be positive and fit the 8 NeuronCores"):
        processes.run(machine, placements, sizes, (1,))


def configured_with_wrong_groups() -> tuple[bool, list[int]]:
    with pytest.raises(RuntimeError, match="must be positive and fit the 8 NeuronCores"):
        ops.configure(8, 1 << 30, 0, groups=[4, 5])
    configured = ops.is_initialized()
    ops.configure(4, 1 << 30, 0, groups=[4])
    return configured, list(ops.core_usage())


def test_cpp_placement_configures_nothing_with_groups_that_do_not_fit(processes: neuron_processes.Parent) -> None:
    assert processes.run({}, configured_with_wrong_groups) == (False, [0] * 4)


def nested_defaults() -> list[tuple[int, int]]:
    seen = [
        ops.set_default_cores(1, 2),
        ops.get_default_cores(),
        ops.set_default_cores(-1, -1),
        ops.get_default_cores(),
    ]
    assert not ops.is_initialized()
    return [(int(start), int(count)) for start, count in seen]


def test_cpp_placement_default_is_returned_when_it_is_replaced(
    processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    assert processes.run(machine, nested_defaults) == [(-1, -1), (1, 2), (1, 2), (-1, -1)]
