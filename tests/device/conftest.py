"""One sweep over torch's database of operators for all tests of this directory."""

import pathlib
from collections.abc import Iterator

import pytest

from kits.device import neuron_processes
from kits.opinfo import operator_exceptions, operator_sweep


@pytest.fixture(scope="session")
def processes() -> Iterator[neuron_processes.Parent]:
    """Forks a fresh process, with everything imported and nothing used."""
    with neuron_processes.parent() as running:
        yield running


@pytest.fixture(scope="session")
def exceptions() -> operator_exceptions.Exceptions:
    """What is known to differ with the installed torch."""
    return operator_exceptions.read(pathlib.Path(__file__).with_name("operator_exceptions.toml"))


@pytest.fixture(scope="session")
def found(
    processes: neuron_processes.Parent,
    exceptions: operator_exceptions.Exceptions,
    tmp_path_factory: pytest.TempPathFactory,
) -> operator_sweep.Found:
    """Every check of every operator; each worker owns one core."""
    machine = {
        "NEURONSPAN_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "NEURONSPAN_INSTANCE_TYPE": "trn1.32xlarge",
        "NEURON_RT_NUM_CORES": "1",
    }
    return processes.run(machine, sweep, exceptions.undefined_values)


def sweep(undefined: frozenset[str]) -> operator_sweep.Found:
    # a scenario's own file is loaded a second time, and what it defines cannot be sent back: so this is not the kit's
    return operator_sweep.sweep(tuple(operator_sweep.CHECKS), undefined)
