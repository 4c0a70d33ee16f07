"""Every example of AWS's core placement guide for torch-neuron, by section, on a machine with 8 NeuronCores."""

import contextlib
import pathlib
from collections.abc import Callable, Sequence

import pytest

import neuronspan_runtime
import torch_neuron
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime.device import device_module, operators

Setting = tuple[str, tuple[object, ...], int]
"""A context of torch_neuron.experimental, its arguments, and the pipeline cores of the model loaded inside."""


def load_in_order(directory: pathlib.Path, sizes: Sequence[int]) -> tuple[list[list[str]], str]:
    """Load models by default placement; return where each is, and what the process owns."""
    models = [neuron_models.load(directory, cores) for cores in sizes]
    return neuron_models.spans_of(*models), str(neuronspan_runtime.owned_cores())


def load_explicitly(directory: pathlib.Path, settings: Sequence[Setting]) -> list[list[str]]:
    """Load each model inside its own context; they are run outside."""
    models = []
    for name, arguments, cores in settings:
        context: Callable[..., contextlib.AbstractContextManager[None]] = getattr(torch_neuron.experimental, name)
        with context(*arguments):
            models.append(neuron_models.load(directory, cores))
    for model, (_, _, cores) in zip(models, settings, strict=True):
        neuron_models.check(model, cores)
    return neuron_models.spans_of(*models)


@pytest.mark.parametrize(
    ("variables", "sizes", "placed", "owned"),
    [
        pytest.param({}, [1, 1], ["0", "1"], "0-7", id="Default"),
        pytest.param({"NEURON_RT_NUM_CORES": "2"}, [1, 1], ["0", "1"], "0-1", id="NEURON_RT_NUM_CORES"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "4-5"}, [1, 1], ["4", "5"], "4-5", id="NEURON_RT_VISIBLE_CORES"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "0-1"}, [1, 2, 1], ["0", "0-1", "1"], "0-1", id="Overlapping Models"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "4"}, [4], ["0-3"], "0-3", id="Single NeuronCore Group"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "3,4,1"}, [3, 4, 1], ["0-2", "3-6", "7"], "0-7",
                     id="Multiple NeuronCore Groups"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "2,2"}, [2, 2, 1, 1, 1], ["0-1", "2-3", "0", "2", "0"], "0-3",
                     id="Overlapping Models with Differing Model Sizes"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "2,2"}, [2, 2, 3], ["0-1", "2-3", "0-2"], "0-3",
                     id="Incompatible Model Sizes"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "2,2,2,2"}, [2, 2, 2, 2], ["0-1", "2-3", "4-5", "6-7"], "0-7",
                     id="Multiple Model Copies"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "1,1,1"}, [1, 1, 1, 1], ["0", "1", "2", "0"], "0-2",
                     id="groups for models that are not pipelined"),
        pytest.param({"NEURONCORE_GROUP_SIZES": "2,2"}, [1, 1, 1, 2, 2], ["0", "2", "0", "2-3", "0-1"], "0-3",
                     id="another order of loads, other groups"),
        pytest.param({}, [1, 2, 3, 4], ["0", "1-2", "3-5", "4-7"], "0-7", id="as many cores as stages"),
    ],
)  # fmt: skip
def test_guide_default_and_group_placement(
    variables: dict[str, str],
    sizes: Sequence[int],
    placed: Sequence[str],
    owned: str,
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    machine: dict[str, str],
) -> None:
    assert processes.run(machine | variables, load_in_order, model_files, sizes) == ([[span] for span in placed], owned)


def test_guide_without_groups_the_fifth_model_is_spread_further(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    """The guide's remark on `Overlapping Models with Differing Model Sizes`: default placement uses nc1 and nc3 too."""
    placed, _ = processes.run(machine | {"NEURON_RT_NUM_CORES": "4"}, load_in_order, model_files, [2, 2, 1, 1, 1])
    assert placed == [["0-1"], ["2-3"], ["0"], ["1"], ["2"]]


def test_guide_multiple_processes(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURON_RT_NUM_CORES": "2"}
    with (
        processes.start(variables, load_in_order, model_files, [1, 1]) as first,
        processes.start(variables, load_in_order, model_files, [1, 1]) as second,
    ):
        outcomes = sorted(process.outcome().value for process in (first, second))
    assert outcomes == [([["0"], ["1"]], "0-1"), ([["2"], ["3"]], "2-3")]


def test_guide_default_leaves_no_core_for_a_second_process(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    with processes.start(machine, load_in_order, model_files, [1]) as first:
        assert first.outcome().value == ([["0"]], "0-7")
        with pytest.raises(neuron_processes.ScenarioFailed, match="could not be initialized") as caught:
            processes.run(machine, load_in_order, model_files, [1])
    assert caught.value.text.startswith("The PyTorch Neuron Runtime could not be initialized. Neuron Driver issues are")
    assert caught.value.log.endswith("NeuronCore(s) not available - Requested:8 Available:0\n")
    assert processes.run(machine, load_in_order, model_files, [1]) == ([["0"]], "0-7")


@pytest.mark.parametrize(
    ("cores", "settings", "placed"),
    [
        pytest.param(
            4,
            [
                ("neuron_cores_context", (2,), 2),
                ("neuron_cores_context", (0,), 3),
                ("neuron_cores_context", (0,), 2),
                ("neuron_cores_context", (3,), 1),
            ],
            [["2-3"], ["0-2"], ["0-1"], ["3"]],
            id="Manual Core Selection",
        ),
        pytest.param(
            8, [("multicore_context", (), 1)], [["0", "1", "2", "3", "4", "5", "6", "7"]], id="Automatic Multicore"
        ),
        pytest.param(2, [("multicore_context", (), 1)], [["0", "1"]], id="Automatic Multicore on a smaller machine"),
        pytest.param(8, [("neuron_cores_context", (2, 4), 2)], [["2-3", "4-5"]], id="Explicit Replication"),
        pytest.param(8, [("neuron_cores_context", (0, 8), 2)], [["0-1", "2-3", "4-5", "6-7"]], id="floor of 8 by 2"),
        pytest.param(8, [("neuron_cores_context", (1, 7), 3)], [["1-3", "4-6"]], id="floor leaves one core unused"),
    ],
)
def test_guide_explicit_placement(
    cores: int,
    settings: Sequence[Setting],
    placed: list[list[str]],
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    machine: dict[str, str],
) -> None:
    variables = machine | {"NEURON_RT_NUM_CORES": str(cores)}
    assert processes.run(variables, load_explicitly, model_files, settings) == placed


@pytest.mark.parametrize(("instance_type", "cores"), [("inf1.xlarge", 4), ("inf1.6xlarge", 16)])
def test_guide_automatic_multicore_needs_no_change_on_another_instance_type(
    instance_type: str,
    cores: int,
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    variables = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": instance_type}
    placed = processes.run(variables, load_explicitly, model_files, [("multicore_context", (), 1)])
    assert placed == [[str(core) for core in range(cores)]]


def test_guide_order_of_explicit_loads_does_not_matter(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    settings: list[Setting] = [
        ("neuron_cores_context", (3,), 1),
        ("neuron_cores_context", (0,), 2),
        ("neuron_cores_context", (0,), 3),
        ("neuron_cores_context", (2,), 2),
    ]
    variables = machine | {"NEURON_RT_NUM_CORES": "4"}
    assert processes.run(variables, load_explicitly, model_files, settings) == [["3"], ["0-1"], ["0-2"], ["2-3"]]


def replicas_in_turn(directory: pathlib.Path, calls: int) -> list[int]:
    """Load one model on all cores, run it, and return how often each core ran it."""
    with torch_neuron.experimental.multicore_context():
        model = neuron_models.jit_load(neuron_models.file_of(directory, 1))
    for _ in range(calls):
        neuron_models.check(model, 1)
    return [device_module.memory_stats(core)["executions"] for core in range(4)]


def test_guide_one_model_object_uses_all_its_replicas_in_turn(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURON_RT_NUM_CORES": "4"}
    assert processes.run(variables, replicas_in_turn, model_files, 10) == [3, 3, 2, 2]


def idle_cores(directory: pathlib.Path) -> tuple[tuple[int, ...], list[int]]:
    """Load and run two models; return the models on each core, and how often each core ran."""
    models = [neuron_models.load(directory, 1) for _ in range(2)]
    usage = operators.core_usage()
    del models
    return usage, [device_module.memory_stats(core)["executions"] for core in range(8)]


def test_guide_default_allocates_the_other_cores_and_leaves_them_idle(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, idle_cores, model_files) == ((1, 1, 0, 0, 0, 0, 0, 0), [1, 1, 0, 0, 0, 0, 0, 0])


def copies_called_by_hand(directory: pathlib.Path) -> list[list[int]]:
    """Load four copies into four groups and call one after the other; return which cores ran each call."""
    models = [neuron_models.load(directory, 2) for _ in range(4)]
    seen = []
    for model in models:
        before = [device_module.memory_stats(core)["executions"] for core in range(8)]
        neuron_models.check(model, 2)
        after = [device_module.memory_stats(core)["executions"] for core in range(8)]
        seen.append([core for core in range(8) if after[core] > before[core]])
    return seen


def test_guide_copies_in_groups_are_chosen_by_the_program(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    variables = machine | {"NEURONCORE_GROUP_SIZES": "2,2,2,2"}
    assert processes.run(variables, copies_called_by_hand, model_files) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_guide_explicit_placement_does_not_ask_the_groups(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    settings: list[Setting] = [("neuron_cores_context", (1,), 1), ("neuron_cores_context", (1,), 2)]
    variables = machine | {"NEURONCORE_GROUP_SIZES": "2,2"}
    assert processes.run(variables, load_explicitly, model_files, settings) == [["1"], ["1-2"]]


def replicated_by_keywords(directory: pathlib.Path) -> list[list[str]]:
    with torch_neuron.experimental.neuron_cores_context(start_nc=2, nc_count=4):
        return neuron_models.spans_of(neuron_models.load(directory, 2))


def test_guide_explicit_replication_by_keywords(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    assert processes.run(machine, replicated_by_keywords, model_files) == [["2-3", "4-5"]]
