"""Fixtures that several kinds of tests share."""

from collections.abc import Iterator

import pytest

from kits.api_server import control_plane as control_plane_kit

pytest_plugins = ["kits.device.fixtures"]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[control_plane_kit.ControlPlane]:
    """A real etcd and kube-apiserver with the chart's CRDs; one for the whole session."""
    with control_plane_kit.running(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane
