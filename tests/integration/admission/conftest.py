"""An API server of its own: the chart's policies would refuse what other tests do by hand."""

from collections.abc import Iterator

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import control_plane as control_plane_kit


@pytest.fixture(scope="session")
def admission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[admission_kit.Admission]:
    """The chart in a real API server, all policies active."""
    with (
        control_plane_kit.running(tmp_path_factory.mktemp("admission")) as plane,
        admission_kit.installed(plane) as everything,
    ):
        yield everything
