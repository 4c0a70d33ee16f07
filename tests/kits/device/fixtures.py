"""Fixtures for tests that need the device: a parent of fresh processes, and models on disk."""

import pathlib
from collections.abc import Iterator

import pytest

from kits.device import neuron_models, neuron_processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever test comes first waits for the import of torch, which takes long on a busy machine."""
    for item in items:
        if "processes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def processes() -> Iterator[neuron_processes.Parent]:
    """Forks a fresh process, with everything imported and nothing used, for each scenario."""
    with neuron_processes.parent() as running:
        yield running


@pytest.fixture(scope="session")
def model_files(processes: neuron_processes.Parent, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory with a compiled model for each number of pipeline cores, and the plain module it was made from."""
    directory = tmp_path_factory.mktemp("models")
    processes.run({}, neuron_models.save_all, directory)
    return directory


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a process on a machine with 8 NeuronCores, all of them free."""
    return {
        "NEURONSPAN_STATE_DIR": str(tmp_path / "state"),
        "NEURONSPAN_INSTANCE_TYPE": "inf1.6xlarge",
        "NEURONSPAN_GRANT": "0-7",
    }
