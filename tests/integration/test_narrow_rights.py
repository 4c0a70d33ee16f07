"""`kubectl neuron` for people who may edit one namespace, with the cluster's own roles and those of the chart."""

import contextlib
from collections.abc import Iterator

import pytest
from click import testing

from kits.api_server import api_client, chart
from kits.api_server import control_plane as control_plane_kit
from kits.manifests import builders
from kits.world import stand_in
from neuronspan_operator.cli import commands

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
USER = {"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}
WHY = "0/1 nodes are available: 1 without 4 contiguous free NeuronCores."


@pytest.fixture
def kubeconfig(control_plane: control_plane_kit.ControlPlane, cluster: stand_in.StandIn) -> Iterator[str]:
    """Of a user who may edit namespace ml, where a pod waits and says why."""
    with control_plane.client() as admin, contextlib.ExitStack() as stack:
        admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "ml"}}).expect(201, 409)
        cluster.add_node("w1")
        cluster.add_pool("trn1")
        for part in ("system:aggregate-to-edit", "system:aggregate-to-view"):  # what `edit` is added up from
            _made(admin, stack, f"{RIGHTS}/namespaces/ml/rolebindings", _binding(part))
        _made(admin, stack, f"{RIGHTS}/clusterroles", chart.render().one("ClusterRole", "viewer"))
        _waiting(admin, stack)
        yield control_plane.write_kubeconfig(token=control_plane_kit.USER_TOKEN)


def _binding(role: str) -> builders.Manifest:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return {"metadata": {"name": f"nobody-{role.rpartition(':')[2]}"}, "roleRef": reference, "subjects": [USER]}


def _made(admin: api_client.Client, stack: contextlib.ExitStack, path: str, manifest: builders.Manifest) -> None:
    name = manifest["metadata"]["name"]
    admin.delete(f"{path}/{name}")
    admin.create(path, manifest)
    stack.callback(admin.delete, f"{path}/{name}")


def _waiting(admin: api_client.Client, stack: contextlib.ExitStack) -> None:
    pods = "/api/v1/namespaces/ml/pods"
    admin.delete(f"{pods}/web?gracePeriodSeconds=0")
    manifest = builders.make_pod(cores=4, namespace="ml")
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del manifest["metadata"][field]
    uid = admin.create(pods, manifest)["metadata"]["uid"]
    stack.callback(admin.delete, f"{pods}/web?gracePeriodSeconds=0")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": WHY}
    admin.patch(f"{pods}/web/status", {"status": {"conditions": [condition]}})
    event = {
        "metadata": {"name": f"web.{uid}", "namespace": "ml"},
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "ml", "uid": uid},
        "reportingComponent": "neuronspan",
        "reportingInstance": "test",
        "reason": "FailedScheduling",
        "message": "it waits",
        "lastTimestamp": "2026-01-02T03:04:05Z",
        "type": "Warning",
    }
    admin.create("/api/v1/namespaces/ml/events", event)


def _said(kubeconfig: str, *arguments: str) -> tuple[int, str]:
    result = testing.CliRunner().invoke(commands.main, [*arguments, "--kubeconfig", kubeconfig])
    return result.exit_code, result.output


def test_explain_and_map_say_what_the_pods_say_and_what_right_is_missing(kubeconfig: str) -> None:
    status, said = _said(kubeconfig, "explain", "web", "-n", "ml")
    assert status == 0, said
    waits, event, right = said.splitlines()
    assert (status, waits) == (0, f"pod ml/web waits (Unschedulable): {WHY}")
    assert event == "  2026-01-02T03:04:05Z FailedScheduling: it waits"
    assert 'User "nobody" cannot list resource "neuronnodes"' in right
    assert "kubectl create clusterrolebinding NAME --clusterrole=neuronspan-viewer --user=YOU" in right
    status, said = _said(kubeconfig, "map", "-n", "ml")
    assert (status, said.splitlines()[0]) == (0, waits)
    assert "This is only what the pods of namespace ml say of themselves" in said


def test_other_namespaces_stay_closed(kubeconfig: str) -> None:
    for arguments in (("explain", "web", "-n", "default"), ("map", "-n", "default"), ("explain", "-A", "web")):
        status, said = _said(kubeconfig, *arguments)
        assert (status, said.count("\n")) == (1, 1), said
        assert "403" in said


def test_the_charts_role_for_viewers_shows_all(control_plane: control_plane_kit.ControlPlane, kubeconfig: str) -> None:
    with control_plane.client() as admin, contextlib.ExitStack() as stack:
        _made(admin, stack, f"{RIGHTS}/clusterrolebindings", _binding("neuronspan-viewer"))
        status, said = _said(kubeconfig, "explain", "web", "-n", "ml")
        assert (status, said.startswith("pod ml/web waits (")) == (0, True), said
        assert "This is only" not in said
        assert "may not be read" not in said
