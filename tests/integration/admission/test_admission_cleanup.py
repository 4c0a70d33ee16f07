"""What runs before `helm uninstall`: its script as the rendered Job has it, with the rights that the chart gives it."""

import pathlib
import subprocess
import sys
import urllib.parse
from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import chart

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

POOLS = "/apis/neuronspan.dev/v1alpha1/neuronpools"
PODS = f"/api/v1/namespaces/{chart.NAMESPACE}/pods"
SCALE = f"/apis/apps/v1/namespaces/{chart.NAMESPACE}/deployments/neuronspan-operator/scale"
TOKENS = f"/api/v1/namespaces/{chart.NAMESPACE}/serviceaccounts/neuronspan-cleanup/token"
OURS = "neuronspan.dev/finalizer"
OTHER = "example.com/finalizer"


@pytest.fixture
def command(admission: admission_kit.Admission, tmp_path: pathlib.Path) -> list[str]:
    """The Job's command line, with the files of its service account where kubelet would put them."""
    rights = [each for each in chart.render().manifests if each["metadata"]["name"] == "neuronspan-cleanup"]
    for manifest in rights:
        if manifest["kind"] != "Job":
            admission.admin.create(admission_kit.collection(manifest), manifest)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    (tmp_path / "token").write_text(admission.admin.create(TOKENS, request)["status"]["token"])
    (tmp_path / "ca.crt").write_text(pathlib.Path(admission.plane.authority).read_text())
    job = next(manifest for manifest in rights if manifest["kind"] == "Job")
    script, *arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    address = urllib.parse.urlsplit(admission.plane.url)
    known = {"$(KUBERNETES_SERVICE_HOST)": str(address.hostname), "$(KUBERNETES_SERVICE_PORT)": str(address.port)}
    here = script.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
    return [sys.executable, "-c", here, *(known.get(argument, argument) for argument in arguments)]


def operator_pod(admission: admission_kit.Admission) -> dict[str, Any]:
    labels = chart.render().one("Deployment", "operator")["spec"]["selector"]["matchLabels"]
    manifest = admission_kit.pod(name="operator")
    return admission.admin.create(PODS, {**manifest, "metadata": {"name": "operator", "labels": labels}})


def test_cleanup_stops_the_operator_and_frees_the_pools(admission: admission_kit.Admission, command: list[str]) -> None:
    operator_pod(admission)
    held = {"metadata": {"finalizers": [OURS, OTHER]}}
    for name, finalizers in (("inf1", held), ("inf2", {"metadata": {"finalizers": [OURS]}})):
        admission.admin.patch(f"{POOLS}/{name}", finalizers)
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    admission_kit.wait_for(lambda: admission.admin.get(SCALE)["spec"].get("replicas", 0) == 0, "the operator to stop")
    with pytest.raises(subprocess.TimeoutExpired):  # an operator that still runs would put the finalizer back
        running.wait(timeout=1.5)
    assert OURS in admission.admin.get(f"{POOLS}/inf2")["metadata"]["finalizers"]
    admission.admin.delete(f"{PODS}/operator", {"gracePeriodSeconds": 0})
    said, complaints = running.communicate(timeout=30)
    assert running.returncode == 0, complaints
    assert "inf1, inf2" in said
    assert admission.admin.get(f"{POOLS}/inf1")["metadata"]["finalizers"] == [OTHER]
    assert "finalizers" not in admission.admin.get(f"{POOLS}/inf2")["metadata"]
