"""A pod's own cluster."""

import pathlib

import pytest

from neuronspan_agent import errors
from neuronspan_agent.connecting import in_cluster

ENVIRONMENT = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name, content in {"token": "t", "ca.crt": "pem", "namespace": "ml\n"}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(in_cluster, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_target_is_the_pods_api_server(folder: pathlib.Path, host: str, server: str) -> None:
    environment = ENVIRONMENT | {"KUBERNETES_SERVICE_HOST": host}
    assert in_cluster.is_possible(environment)
    target = in_cluster.target(environment)
    assert (target.cluster.server, target.namespace, target.user.token_file) == (server, "ml", f"{folder}/token")
    assert target.cluster.authority == f"{folder}/ca.crt"


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_file_that_is_not_there_is_named(folder: pathlib.Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(errors.LoginFailed, match=f"service account of this pod: {folder}/{missing} is not there"):
        in_cluster.target(ENVIRONMENT)


def test_outside_of_a_cluster_the_way_out_is_said(folder: pathlib.Path) -> None:
    (folder / "namespace").unlink()
    assert in_cluster.target(ENVIRONMENT).namespace == ""
    assert not in_cluster.is_possible({})
    with pytest.raises(errors.LoginFailed, match=r"KUBERNETES_SERVICE_HOST .* are not set; give a kubeconfig file"):
        in_cluster.target({})
