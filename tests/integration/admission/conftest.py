"""An API server of its own, in each mode of admission: the chart would refuse there what other tests do by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import control_plane as control_plane_kit
from neuronspan import names, spans
from neuronspan_operator.objects import pod_changes, pods


@pytest.fixture(scope="session", params=["policy", "webhook"])
def mode(request: pytest.FixtureRequest, control_plane: control_plane_kit.ControlPlane) -> str:
    """How requests are changed and refused; left out, by name, where the API server cannot do it."""
    if request.param == "policy" and not control_plane.serves(*control_plane_kit.POLICIES):
        pytest.skip("the API server has no policies that change pods: Kubernetes 1.36 has")
    return str(request.param)


@pytest.fixture(scope="session")
def claims(control_plane: control_plane_kit.ControlPlane) -> bool:
    """Whether the API server keeps a pod's resource claims; older ones drop them before they ask for admission."""
    return control_plane.serves(*control_plane_kit.RESOURCE_CLAIMS)


@pytest.fixture
def needs_claims(claims: bool) -> None:
    """Leave the test out, by name, where resource claims are dropped."""
    if not claims:
        pytest.skip("the API server drops a pod's resource claims: Kubernetes 1.34 and newer keep them")


@pytest.fixture(scope="session")
def values(mode: str) -> dict[str, Any]:
    """The chart's values in this mode."""
    return {**admission_kit.EVERYTHING, "admission": {"mode": mode}}


@pytest.fixture(scope="session")
def admission(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[admission_kit.Admission]:
    """The chart in a real API server, everything of it active, and its webhook served."""
    with (
        control_plane_kit.running(tmp_path_factory.mktemp("admission")) as plane,
        admission_kit.installed(plane, values) as everything,
    ):
        yield everything


@pytest.fixture
def waiting(admission: admission_kit.Admission) -> dict[str, Any]:
    """A pod that waits for four cores."""
    return admission.stored(admission_kit.pod({names.CORES_ANNOTATION: "4"}))


@pytest.fixture
def granted(admission: admission_kit.Admission, waiting: dict[str, Any]) -> dict[str, Any]:
    """The same pod after the operator has bound it."""
    bound = pod_changes.binding(pods.read(waiting), "w1", {"app": spans.CoreSpan(0, 4)})
    admission.operator.create(f"{admission_kit.path_of(waiting)}/binding", bound)
    return admission.admin.get(admission_kit.path_of(waiting))
