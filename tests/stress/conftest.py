"""How long, and on what, the stress run runs: STRESS_SECONDS, `make test-stress` says 600."""

import os
import pathlib
from collections.abc import Iterator

import pytest

from kits.device import neuron_processes
from stress import driver, worker

SECONDS = float(os.environ.get("STRESS_SECONDS", "30"))  # noqa: TID251 - the tests have no settings module


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The run itself, the processes that end after it, and the import of torch on a busy machine."""
    for item in items:
        if "plan" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SECONDS + driver.PATIENCE_SECONDS + 300))


@pytest.fixture
def plan() -> driver.Plan:
    """How much stress."""
    return driver.Plan(SECONDS)


@pytest.fixture
def processes() -> Iterator[neuron_processes.Parent]:
    """Forks a fresh process, with everything imported and nothing used, for each scenario."""
    with neuron_processes.parent() as running:
        yield running


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a process on a machine with 8 NeuronCores, all of them free."""
    return {
        "NEURONSPAN_STATE_DIR": str(tmp_path / "state"),
        "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge",
        "NEURONSPAN_GRANT": f"0-{worker.CORES - 1}",
    }
