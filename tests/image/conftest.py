"""What the tests inside of the runtime's image share."""

import pathlib

import pytest

from kits.release import runtime_image


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A directory with pytest."""
    directory = tmp_path_factory.mktemp("pytest")
    runtime_image.copy_pytest(directory)
    return directory
