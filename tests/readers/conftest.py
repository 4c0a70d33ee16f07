"""Machines for other people's programs, each with a tree of ours."""

from collections.abc import Iterator

import pytest

from kits.readers import machines

TEST_SECONDS = 300
"""For one test with the start of its machine, which the first one of a kind waits for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here may start a container."""
    for item in items:
        if "machine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[machines.Machine]:
    """The machine of the kind that the test is parametrized with."""
    folder = tmp_path_factory.mktemp("machine")
    # pytest keeps temporary folders to itself, and the readers are not root
    for each in (folder, folder.parent, folder.parent.parent):
        each.chmod(0o755)
    with machines.running(request.param, folder) as running:
        yield running
