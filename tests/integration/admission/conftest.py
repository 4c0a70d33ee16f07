"""An API server of its own: the chart's policies would refuse what other tests do by hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import control_plane as control_plane_kit
from neuronspan import names, spans
from neuronspan_operator.objects import pod_changes, pods

POLICIES = ("admissionregistration.k8s.io/v1", "mutatingadmissionpolicies")
"""What these tests need of the API server: Kubernetes 1.36."""


@pytest.fixture(scope="session", autouse=True)
def _policies_are_served(control_plane: control_plane_kit.ControlPlane) -> None:
    """Leave these tests out, by name, where the API server has no policies that change requests."""
    if not control_plane.serves(*POLICIES):
        pytest.skip(f"the API server does not serve {POLICIES[1]} of {POLICIES[0]}: Kubernetes 1.36 does")


@pytest.fixture(scope="session")
def admission(tmp_path_factory: pytest.TempPathFactory) -> Iterator[admission_kit.Admission]:
    """The chart in a real API server, all policies active."""
    with (
        control_plane_kit.running(tmp_path_factory.mktemp("admission")) as plane,
        admission_kit.installed(plane) as everything,
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
