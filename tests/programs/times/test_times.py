"""Programs that tune by what executions last, with NEURONSPAN_TIME=device; values are the CPU's all the same."""

import pathlib

import pytest

from kits.device import neuron_processes
from kits.programs import corpus


@pytest.mark.parametrize("program", corpus.programs("times"), ids=lambda program: program.path.stem)
def test_program_tunes_by_what_a_core_would_need(
    program: corpus.Program, processes: neuron_processes.Parent, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    timed = machine | {"NEURONSPAN_INSTANCE_TYPE": "inf2.48xlarge", "NEURONSPAN_TIME": "device"}
    assert processes.run(timed, corpus.run, program.path, tmp_path) == program.cores
