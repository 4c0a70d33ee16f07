"""Machines for other people's programs, each with a tree of ours."""

import pathlib
from collections.abc import Iterator

import pytest

from kits.readers import machines

HERE = pathlib.Path(__file__).parent
TEST_SECONDS = 300
"""For one test with the start of its machine, which the first one of a kind waits for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here may have to start a container."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Machine]:
    """The machine of the kind that the test is parametrized with."""
    with machines.running(request.param, tmp_path_factory.mktemp("machine")) as running:
        yield running
