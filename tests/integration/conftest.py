"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from kits.api_server import control_plane as control_plane_kit
from kits.connecting import left_open
from kits.world import stand_in


@pytest.fixture
def cluster(control_plane: control_plane_kit.ControlPlane) -> Iterator[stand_in.StandIn]:
    """An empty cluster: a real API server, and a stand-in for everything else."""
    with control_plane.client() as client:
        played = stand_in.StandIn(client)
        played.wipe()
        yield played
        played.wipe()


@pytest.fixture(autouse=True)
async def _no_connection_is_left() -> AsyncIterator[None]:
    """Break what a cancelled task leaves open, which would be blamed on whatever test runs when it is collected."""
    yield
    await left_open.closed()
