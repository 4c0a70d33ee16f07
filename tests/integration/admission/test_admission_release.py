"""The chart's own life in a real API server: install, a second release, upgrade, uninstall."""

import http
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import chart
from kits.api_server import control_plane as control_plane_kit

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

GROUP = "/apis/neuronspan.dev/v1alpha1"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"


@pytest.fixture
def empty(tmp_path: pathlib.Path) -> Iterator[control_plane_kit.ControlPlane]:
    """An API server that has never heard of us, not even of the custom resources."""
    (tmp_path / "nothing").mkdir()
    (tmp_path / "plane").mkdir()
    with control_plane_kit.running(tmp_path / "plane", tmp_path / "nothing") as plane:
        yield plane


def test_objects_of_the_chart_have_no_unknown_fields(
    admission: admission_kit.Admission, values: dict[str, Any]
) -> None:
    """The API server reads a whole object before it finds that it has one of this name already (or, a hook, none)."""
    for manifest in chart.render(values).manifests:
        path = f"{admission_kit.collection(manifest)}?dryRun=All&fieldValidation=Strict"
        answer = admission.admin.request("POST", path, manifest)
        assert answer.status in {http.HTTPStatus.CONFLICT, http.HTTPStatus.CREATED}, answer.message


def test_second_release_is_refused(admission: admission_kit.Admission) -> None:
    with pytest.raises(chart.RenderError, match='the cluster has neuronspan already, as release "neuronspan"'):
        chart.release(admission.plane, "install", name="second", values={"pools": []})


def test_release_lives_and_leaves_only_its_custom_resources(empty: control_plane_kit.ControlPlane) -> None:
    admin = empty.client()
    notes = chart.release(empty, "install", values={"pools": chart.default_values()["pools"][:1]})
    assert "kubectl label node NODE neuronspan.dev/instance-type=inf1.24xlarge" in notes
    assert [item["metadata"]["name"] for item in admin.get(f"{GROUP}/neuronpools")["items"]] == ["inf1"]

    chart.release(empty, "upgrade", "--reuse-values", values={"operator": {"replicas": 3}})
    deployments = f"/apis/apps/v1/namespaces/{chart.NAMESPACE}/deployments"
    assert admin.get(f"{deployments}/neuronspan-operator")["spec"]["replicas"] == 3
    assert len(admin.get(f"{GROUP}/neuronpools")["items"]) == 1

    chart.release(empty, "uninstall", "--no-hooks")  # nobody runs a Job here: see test_admission_cleanup.py
    assert admin.get(POLICIES)["items"] == []
    assert admin.get(deployments)["items"] == []
    assert admin.request("GET", f"{CRDS}/neuronnodes.neuronspan.dev").status == http.HTTPStatus.OK
