"""What stands on standard error when a model or an input is on the wrong NeuronCore: libnrt's lines."""

import pathlib
import re
from collections.abc import Callable

import pytest

import torch_neuronx
from kits.device import neuron_models, neuron_processes

LINE = re.compile(r"\d{4}-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d\.\d{4} \d+:\d+ ERROR   (\S+) +(.*)")
QUIET = {"NEURON_RT_LOG_LEVEL": "QUIET"}


def beyond_the_last_core(directory: pathlib.Path) -> None:
    with torch_neuronx.neuron_cores_context(7), pytest.raises(RuntimeError, match="Could not find VNC id 8"):
        neuron_models.load(directory, 2)


def on_another_core(directory: pathlib.Path) -> None:
    with torch_neuronx.neuron_cores_context(3):
        model = neuron_models.load(directory, 1)
    with pytest.raises(RuntimeError, match="allocated on vnc 1 must be allocated on same vnc as model"):
        model(neuron_models.example().to("neuron:1"))


def lines(log: str) -> list[tuple[str, ...]]:
    """Return (source, text) of each line. Raises AttributeError for one of another shape."""
    return [LINE.fullmatch(line).groups() for line in log.splitlines()]  # type: ignore[union-attr]


def test_model_that_does_not_find_its_cores_is_logged_in_the_runtimes_lines(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    with processes.start(machine, beyond_the_last_core, model_files) as process:
        assert lines(process.outcome().log) == [
            ("TDRV:db_vtpb_get_mla_and_tpb", "Could not find VNC id 8"),
            ("NMGR:stage_kelf_models", "Failed to stage graph: kelf-a.json to NeuronCore"),
            ("NMGR:kmgr_load_nn_post_metrics", "Failed to load NN: Small, err: 2"),
        ]


def test_input_on_another_core_is_logged_in_the_runtimes_line(
    processes: neuron_processes.Parent, model_files: pathlib.Path, machine: dict[str, str]
) -> None:
    with processes.start(machine, on_another_core, model_files) as process:
        assert lines(process.outcome().log) == [
            (
                "NMGR:dlr_check_tensor_set_on_same_vtpb_v2",
                "Tensor input0 allocated on vnc 1 must be allocated on same vnc as model (3)",
            )
        ]


@pytest.mark.parametrize("scenario", [beyond_the_last_core, on_another_core], ids=lambda scenario: scenario.__name__)
def test_nothing_is_logged_when_the_log_is_quiet(
    scenario: Callable[[pathlib.Path], None],
    processes: neuron_processes.Parent,
    model_files: pathlib.Path,
    machine: dict[str, str],
) -> None:
    with processes.start(machine | QUIET, scenario, model_files) as process:
        assert process.outcome().log == ""
