"""How much is compared: ORACLE_VERDICTS, `make test-oracle` says 100000; and the table at the end of the run."""

import os
from collections.abc import Iterator

import pytest

from kits.api_server import control_plane, scheduler
from oracle import stage, tally

VERDICTS = int(os.environ.get("ORACLE_VERDICTS", "5000"))  # noqa: TID251 - the tests have no settings module
FIRST_SEED = int(os.environ.get("ORACLE_SEED", "1"))  # noqa: TID251
SECONDS_PER_VERDICT = 0.05  # several times what a busy machine needs
_TALLY = pytest.StashKey[tally.Tally]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[_TALLY] = tally.Tally()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start of the servers, the comparison, and the search for the smallest reproduction."""
    for item in items:
        if "theatre" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300 + VERDICTS * SECONDS_PER_VERDICT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was compared."""
    counts = terminalreporter.config.stash[_TALLY]
    if counts.verdicts:
        terminalreporter.section("kube-scheduler and ours")
        for line in counts.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stage.Stage]:
    """A control plane of its own, with a real kube-scheduler."""
    folder, no_definitions = tmp_path_factory.mktemp("oracle"), tmp_path_factory.mktemp("no-definitions")
    with control_plane.running(folder, no_definitions) as plane, scheduler.running(plane) as real:
        built = stage.Stage(plane, real)
        yield built
        built.close()


@pytest.fixture
def theatre(house: stage.Stage) -> stage.Stage:
    """A cluster with nothing in it, whatever a failed test has left."""
    house.clear(house.seen())
    return house


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> tally.Tally:
    """What the table at the end shows."""
    return request.config.stash[_TALLY]


@pytest.fixture
def enough() -> int:
    """How many verdicts to compare."""
    return VERDICTS


@pytest.fixture
def soft_scenes() -> int:
    """In how many clusters to compare scores."""
    return max(8, VERDICTS // 1500)


@pytest.fixture
def seeds() -> range:
    """The scenes to draw, in this order."""
    return range(FIRST_SEED, FIRST_SEED + 10**6)
