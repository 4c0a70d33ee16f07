"""The chart's own life in a real API server: install, a second release, upgrade, uninstall."""

import http
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import api_client, chart
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


FIRST = f'the cluster has neuronspan already, as release "{chart.RELEASE}" in namespace "{chart.NAMESPACE}"'


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"nameOverride": "other"},
        {"fullnameOverride": "other"},
        {"admission": {"mode": "none"}, "rbac": {"create": False}, "fullnameOverride": "other"},
    ],
    ids=["plain", "named otherwise", "prefixed otherwise", "in another mode"],
)
def test_second_release_is_refused_with_the_name_of_the_first(
    admission: admission_kit.Admission, other: dict[str, Any]
) -> None:
    with pytest.raises(chart.RenderError) as refusal:
        chart.release(admission.plane, "install", name="second", values={"pools": [], **other})
    assert FIRST in str(refusal.value)


MARKER = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{chart.INSTALLATION}"


def test_second_release_that_asks_no_cluster_is_refused_by_the_api_server(admission: admission_kit.Admission) -> None:
    """What `helm template | kubectl apply` does, in either way that kubectl applies."""
    for namespace, name in (("elsewhere", chart.RELEASE), (chart.NAMESPACE, "second")):
        rendered = chart.template({"fullnameOverride": "other"}, name=name, namespace=namespace)
        marker = rendered.one("ClusterRoleBinding", chart.INSTALLATION)
        for form in (api_client.MERGE_PATCH, api_client.APPLY_PATCH):
            query = "?fieldManager=tests&force=true" if form == api_client.APPLY_PATCH else ""
            answer = admission.admin.request("PATCH", f"{MARKER}{query}", marker, form)
            assert answer.status == http.HTTPStatus.UNPROCESSABLE_ENTITY, answer.body
            assert f"{chart.INSTALLATION}" in answer.message
            assert "cannot change roleRef" in answer.message


def test_first_release_without_admission_is_seen_by_the_second(empty: control_plane_kit.ControlPlane) -> None:
    without = {"admission": {"mode": "none"}, "rbac": {"create": False}}
    chart.release(empty, "install", values=without)
    with pytest.raises(chart.RenderError) as refusal:
        chart.release(empty, "install", name="second", values={"pools": []})
    assert FIRST in str(refusal.value)
    chart.release(empty, "upgrade", values=without)  # and it does not mistake itself for another one
    chart.release(empty, "uninstall", "--no-hooks")
    assert empty.request("GET", MARKER).status == http.HTTPStatus.NOT_FOUND
    chart.release(empty, "install", name="second", values={"pools": []})


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
