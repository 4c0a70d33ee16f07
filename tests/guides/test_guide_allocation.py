"""What a process owns, as the guide and the runtime's own rules have it: running programs beside each other."""

import contextlib
import pathlib
from collections.abc import Sequence

import pytest

import neuronspan_runtime
from kits.device import neuron_models, neuron_processes
from neuronspan_runtime import errors
from neuronspan_runtime.device import device_module


@pytest.fixture
def node(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a process on a machine with 16 NeuronCores on four devices, outside of any pod."""
    return {"NEURONSPAN_STATE_DIR": str(tmp_path / "state"), "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge"}


keep: list[object] = []


def serve(directory: pathlib.Path) -> tuple[str, list[list[str]], int]:
    """Load a model and keep it; return the cores that the process owns, where the model is, and how many it counts."""
    model = neuron_models.load(directory, 1)
    keep.append(model)
    return str(neuronspan_runtime.owned_cores()), neuron_models.spans_of(model), device_module.device_count()


def owned_or_said(process: neuron_processes.Process[tuple[str, list[list[str]], int]]) -> str:
    """Return what a program owns, or the last line of its log when it has AWS's error."""
    try:
        span, placed, count = process.outcome().value
    except neuron_processes.ScenarioFailed as failed:
        refused = failed.kind == "RuntimeError" and failed.text.startswith(errors.NOT_INITIALIZED)
        return failed.log.splitlines()[-1].partition("ERROR   ")[2] if refused else str(failed)
    first, _, last = span.partition("-")
    assert (placed, count) == ([[first]], int(last or first) - int(first) + 1)
    return span


def owned_in_turn(
    processes: neuron_processes.Parent,
    node: dict[str, str],
    directory: pathlib.Path,
    settings: Sequence[dict[str, str]],
) -> list[str]:
    """Start one program after the other, none of them ends; return what each owns, or what its log says."""
    with contextlib.ExitStack() as running:
        return [
            owned_or_said(running.enter_context(processes.start(node | variables, serve, directory)))
            for variables in settings
        ]


def visible(*texts: str) -> list[dict[str, str]]:
    return [{"NEURON_RT_VISIBLE_CORES": text} for text in texts]


def number(*counts: int) -> list[dict[str, str]]:
    return [{"NEURON_RT_NUM_CORES": str(count)} for count in counts]


def busy(requested: object, available: int) -> str:
    return (
        f"NRT:nrt_allocate_neuron_cores               NeuronCore(s) not available - Requested:{requested} "
        f"Available:{available}"
    )


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        pytest.param([{}, {}], ["0-15", busy(16, 0)], id="nothing set: all, and none for a second process"),
        pytest.param(number(3, 3, 3, 3, 3, 3), ["0-2", "3-5", "6-8", "9-11", "12-14", busy(3, 1)],
                     id="five processes of three cores, and no sixth"),
        pytest.param(visible("2-3") + number(2, 3, 9, 10), ["2-3", "0-1", "4-6", "7-15", busy(10, 0)],
                     id="a number is the lowest contiguous run between taken cores"),
        pytest.param(visible("3") + number(6), ["3", "4-9"], id="a run goes over the devices' bounds"),
        pytest.param(visible("5", "10") + number(7), ["5", "10", busy(7, 5)],
                     id="available is the longest run, of 14 free cores"),
        pytest.param(visible("0-1", "2-3", "1-2"), ["0-1", "2-3", busy("nc1-nc2", 0)],
                     id="two processes on one chip, and a third that overlaps both"),
        pytest.param(visible("4", "5-6", "7,8", "9-11,12"), ["4", "5-6", "7-8", "9-12"],
                     id="an index, a range, a list, a mixture"),
        pytest.param([{"NEURON_RT_VISIBLE_CORES": "4-5", "NEURON_RT_NUM_CORES": "3"}], ["4-5"],
                     id="visible cores beat the number"),
        pytest.param([{"NEURONCORE_GROUP_SIZES": "3,4,1"}, {}], ["0-7", busy(16, 8)], id="the sum of the groups"),
        pytest.param([{"NEURON_RT_VISIBLE_CORES": "1"},
                      {"NEURON_RT_VISIBLE_CORES": "4-15"},
                      {"NEURON_RT_NUM_CORES": "2", "NEURONSPAN_DRIVER_SKIP_QUIRK": "1"},
                      {"NEURON_RT_NUM_CORES": "2"}],
                     ["1", "4-15", busy(2, 1), "2-3"], id="the driver's skip, only where it is asked for"),
    ],
)  # fmt: skip
def test_programs_own_their_cores_beside_each_other(
    settings: Sequence[dict[str, str]],
    found: Sequence[str],
    processes: neuron_processes.Parent,
    node: dict[str, str],
    model_files: pathlib.Path,
) -> None:
    assert owned_in_turn(processes, node, model_files, settings) == found


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        pytest.param(visible("3,5,6")[0], "NRT:nrt_allocate_neuron_cores  Neuron cores are not contiguous", id="gap"),
        pytest.param(visible("6,3-5")[0], "NRT:nrt_allocate_neuron_cores  Neuron cores are not contiguous",
                     id="not in order"),
        pytest.param(visible("16")[0], "Specified core not accessible! is /dev/neuron4 visible to process?",
                     id="no such core"),
        pytest.param(visible("14-17")[0], "Specified core not accessible! is /dev/neuron4 visible to process?",
                     id="some of them do not exist"),
        pytest.param(number(17)[0], busy(17, 16), id="more than there are"),
    ],
)  # fmt: skip
def test_program_that_asks_for_impossible_cores_fails_and_reserves_nothing(
    variables: dict[str, str],
    line: str,
    processes: neuron_processes.Parent,
    node: dict[str, str],
    model_files: pathlib.Path,
) -> None:
    with processes.start(node | variables, serve, model_files) as refused:
        with pytest.raises(neuron_processes.ScenarioFailed) as caught:
            refused.outcome()
        assert caught.value.kind == "RuntimeError"
        assert caught.value.text.startswith(errors.NOT_INITIALIZED)
        assert caught.value.log.splitlines()[0].endswith(line)
        assert owned_in_turn(processes, node, model_files, [{}]) == ["0-15"]  # while the refused one is still there


def counted() -> tuple[str, int]:
    """Count as torch's programs do, which claims the cores; return them and their number."""
    count = device_module.device_count()
    return str(neuronspan_runtime.owned_cores()), count


@pytest.mark.parametrize(
    ("instance_type", "variables", "owned", "cores"),
    [
        pytest.param("trn1.2xlarge", {}, "0-1", 2, id="trn1: physical cores"),
        pytest.param("inf2.xlarge", {"NEURON_LOGICAL_NC_CONFIG": "1"}, "0-1", 2, id="inf2: physical cores"),
        pytest.param("trn2.3xlarge", {}, "0-3", 4, id="trn2: joined by default"),
        pytest.param("trn2.3xlarge", {"NEURON_LOGICAL_NC_CONFIG": "2"}, "0-3", 4, id="trn2: joined"),
        pytest.param("trn2.3xlarge", {"NEURON_LOGICAL_NC_CONFIG": "1"}, "0-7", 8, id="trn2: single"),
        pytest.param("trn2.3xlarge", {"NEURON_RT_VIRTUAL_CORE_SIZE": "1"}, "0-7", 8, id="trn2: the other name"),
        pytest.param("trn2.3xlarge", {"NEURON_LOGICAL_NC_CONFIG": "2", "NEURON_RT_VIRTUAL_CORE_SIZE": "1"}, "0-3", 4,
                     id="trn2: the first name counts"),
        pytest.param("trn2.3xlarge", {"NEURON_RT_NUM_CORES": "1"}, "0", 1, id="trn2: one core"),
        pytest.param("trn2.48xlarge", {"NEURON_RT_NUM_CORES": "8"}, "0-7", 8, id="trn2: whole devices"),
        pytest.param("trn2.48xlarge", {"NEURON_RT_VISIBLE_CORES": "60-63"}, "60-63", 4, id="trn2: the last of 64"),
    ],
)  # fmt: skip
def test_programs_count_logical_cores(
    instance_type: str,
    variables: dict[str, str],
    owned: str,
    cores: int,
    processes: neuron_processes.Parent,
    tmp_path: pathlib.Path,
) -> None:
    node = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": instance_type}
    assert processes.run(node | variables, counted) == (owned, cores)


@pytest.mark.parametrize(
    ("variables", "text", "line"),
    [
        pytest.param({"NEURON_RT_NUM_CORES": "3"}, errors.NOT_INITIALIZED,
                     "must request one core, or the whole device (multiple of 4)", id="a part of a device"),
        pytest.param({"NEURON_RT_VISIBLE_CORES": "64"}, errors.NOT_INITIALIZED,
                     "Specified core not accessible! is /dev/neuron16 visible to process?", id="beyond the 64"),
        pytest.param({"NEURON_LOGICAL_NC_CONFIG": "3"}, "NEURON_LOGICAL_NC_CONFIG='3'", "", id="neither 1 nor 2"),
    ],
)  # fmt: skip
def test_program_on_trn2_is_refused_what_its_runtime_refuses(
    variables: dict[str, str], text: str, line: str, processes: neuron_processes.Parent, tmp_path: pathlib.Path
) -> None:
    node = {"NEURONSPAN_STATE_DIR": str(tmp_path), "NEURONSPAN_INSTANCE_TYPE": "trn2.48xlarge"}
    with pytest.raises(neuron_processes.ScenarioFailed) as caught:
        processes.run(node | variables, counted)
    assert caught.value.kind == "RuntimeError"
    assert text in caught.value.text
    assert line in caught.value.log
