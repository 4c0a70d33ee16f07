"""Fixtures of the integration tests."""

from collections.abc import Iterator

import pytest

from kits import control_plane as control_plane_kit
from kits import stand_in


@pytest.fixture
def cluster(control_plane: control_plane_kit.ControlPlane) -> Iterator[stand_in.StandIn]:
    """An empty cluster: a real API server, and a stand-in for everything else."""
    with control_plane.client() as client:
        played = stand_in.StandIn(client)
        played.wipe()
        yield played
        played.wipe()
