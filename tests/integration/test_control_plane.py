"""The control plane of the integration tests keeps what it promises to them."""

import json
import pathlib
import urllib.parse

import pytest

from kits.api_server import api_client
from kits.api_server import control_plane as control_plane_kit

pytestmark = pytest.mark.integration

_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def test_control_plane_serves_the_charts_custom_resources(control_plane: control_plane_kit.ControlPlane) -> None:
    groups = control_plane.request("GET", "/apis/neuronspan.dev/v1alpha1").expect()
    assert {"neuronnodes", "neuronpools"} <= {resource["name"] for resource in groups["resources"]}


@pytest.mark.parametrize(
    ("token", "status"),
    [(control_plane_kit.ADMIN_TOKEN, 200), (control_plane_kit.USER_TOKEN, 403), ("forged", 401)],
    ids=["admin", "user", "forged"],
)
def test_control_plane_gives_each_token_its_rights(
    control_plane: control_plane_kit.ControlPlane, token: str, status: int
) -> None:
    assert control_plane.request("GET", _CONFIGMAPS, token=token).status == status


def test_control_plane_lets_the_admin_act_as_someone_else(control_plane: control_plane_kit.ControlPlane) -> None:
    whom = api_client.Impersonation(
        "system:serviceaccount:ns:plugin",
        ("system:serviceaccounts", "system:authenticated"),
        {"authentication.kubernetes.io/node-name": "w1"},
    )
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    said = control_plane.client(impersonation=whom).create(_REVIEWS, review)["status"]["userInfo"]
    assert said["username"] == whom.user
    assert said["extra"] == {"authentication.kubernetes.io/node-name": ["w1"]}


def test_control_plane_issues_service_account_tokens(control_plane: control_plane_kit.ControlPlane) -> None:
    client = control_plane.client()
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    client.create(accounts, {"metadata": {"name": "issued"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = client.create(f"{accounts}/issued/token", request)["status"]["token"]
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    said = control_plane.client(token=token).create(_REVIEWS, review)
    assert said["status"]["userInfo"]["username"] == "system:serviceaccount:default:issued"


def test_control_plane_reports_a_refusal_as_an_answer(control_plane: control_plane_kit.ControlPlane) -> None:
    answer = control_plane.request("GET", f"{_CONFIGMAPS}/absent")
    assert answer.status == 404
    assert "absent" in answer.message
    with pytest.raises(AssertionError, match="answered 404"):
        answer.expect()


def test_control_plane_kubeconfig_names_the_running_server(control_plane: control_plane_kit.ControlPlane) -> None:
    config = json.loads(pathlib.Path(control_plane.kubeconfig).read_text())
    cluster = config["clusters"][0]["cluster"]
    assert cluster["server"] == control_plane.url
    assert urllib.parse.urlsplit(control_plane.url).hostname == "127.0.0.1"
    assert pathlib.Path(cluster["certificate-authority"]).exists()


def test_find_tool_says_how_to_build_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("NEURONSPAN_TOOLS", str(tmp_path))
    with pytest.raises(control_plane_kit.ToolsMissingError, match="make tools"):
        control_plane_kit.find_tool("etcd")
