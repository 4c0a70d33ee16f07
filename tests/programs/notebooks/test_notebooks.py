"""Programs in the shape of notebooks: a fresh run on the CPU says what is right."""

import pathlib

import pytest

from kits.device import neuron_processes
from kits.programs import corpus


@pytest.mark.parametrize("program", corpus.programs("notebooks"), ids=lambda program: program.path.stem)
def test_program_computes_what_the_cpu_does_where_it_says(
    program: corpus.Program, processes: neuron_processes.Parent, machine: dict[str, str], tmp_path: pathlib.Path
) -> None:
    assert processes.run(machine, corpus.run, program.path, tmp_path) == program.cores
