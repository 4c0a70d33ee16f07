"""What runs before `helm uninstall`: its script as the rendered Job has it, with the rights that the chart gives it."""

import pathlib
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Iterator
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


@pytest.fixture(params=["keep"])
def waiting(request: pytest.FixtureRequest) -> str:
    """What becomes of the pods that wait."""
    return str(request.param)


@pytest.fixture
def command(
    admission: admission_kit.Admission, values: dict[str, Any], tmp_path: pathlib.Path, waiting: str
) -> Iterator[list[str]]:
    """The Job's command line, with the files of its service account where kubelet would put them."""
    rendered = chart.render({**values, "cleanup": {"waitingPods": waiting}})
    rights = [each for each in rendered.manifests if each["metadata"]["name"] == "neuronspan-cleanup"]
    paths = {admission_kit.collection(each): each for each in rights if each["kind"] != "Job"}
    for path, manifest in paths.items():
        admission.admin.create(path, manifest)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    (tmp_path / "token").write_text(admission.admin.create(TOKENS, request)["status"]["token"])
    (tmp_path / "ca.crt").write_text(pathlib.Path(admission.plane.authority).read_text())
    job = next(manifest for manifest in rights if manifest["kind"] == "Job")
    script, *arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    address = urllib.parse.urlsplit(admission.plane.url)
    known = {"$(KUBERNETES_SERVICE_HOST)": str(address.hostname), "$(KUBERNETES_SERVICE_PORT)": str(address.port)}
    here = script.replace("/var/run/secrets/kubernetes.io/serviceaccount", str(tmp_path))
    yield [sys.executable, "-c", here, *(known.get(argument, argument) for argument in arguments)]
    for path in paths:
        admission.admin.delete(f"{path}/neuronspan-cleanup")


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


REPLICAS = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "1", "controller": True}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "2", "controller": True}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def owned(*owners: dict[str, Any]) -> dict[str, Any]:
    manifest = admission_kit.pod({"neuronspan.dev/cores": "4"})
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": list(owners)}}


def run(command: list[str]) -> list[str]:
    """Run the script, which must succeed; gives the lines it writes, without the first, on operator and pools."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[1:]


@pytest.fixture
def waiting_pods(admission: admission_kit.Admission) -> Iterator[dict[str, str]]:
    """Names of pods that wait, by who makes them anew; and pods that do not wait."""
    for name in admission.pod_names():
        admission.admin.delete(f"{admission_kit.PODS}/{name}", {"gracePeriodSeconds": 0})
    manifests = {"ReplicaSet": owned(REPLICAS), "Job": owned(JOB), "nobody": owned()}
    found = {kind: admission.stored(manifest)["metadata"]["name"] for kind, manifest in manifests.items()}
    bound = admission.stored(owned(REPLICAS))["metadata"]["name"]
    admission.admin.create(f"{admission_kit.PODS}/{bound}/binding", admission_kit.binding(bound))
    admission.stored(admission_kit.pod())
    yield found
    for name in admission.pod_names():
        admission.admin.delete(f"{admission_kit.PODS}/{name}", {"gracePeriodSeconds": 0})


def named(*pods: str) -> str:
    return f"{len(pods)} ({', '.join(f'default/{name}' for name in sorted(pods))})"


LEFT = "nobody schedules them until neuronspan is installed again; to give up, delete them"


def test_cleanup_says_which_pods_wait_and_keeps_them(
    admission: admission_kit.Admission, command: list[str], waiting_pods: dict[str, str]
) -> None:
    before = admission.pod_names()
    assert run(command) == [f"pods that wait for NeuronCores: {named(*waiting_pods.values())}", LEFT]
    assert admission.pod_names() == before


def test_cleanup_names_some_of_many_pods(admission: admission_kit.Admission, command: list[str]) -> None:
    for _ in range(25):
        admission.stored(owned())
    line, _ = run(command)
    assert line.startswith("pods that wait for NeuronCores: 25 (default/pod-")
    assert line.endswith(" and 5 more)")
    assert line.count("default/") == 20
    for name in admission.pod_names():
        admission.admin.delete(f"{admission_kit.PODS}/{name}", {"gracePeriodSeconds": 0})


def test_cleanup_says_that_no_pod_waits(admission: admission_kit.Admission, command: list[str]) -> None:
    admission.stored(admission_kit.pod())
    assert run(command) == ["pods that wait for NeuronCores: none"]


@pytest.mark.parametrize("waiting", ["delete"], indirect=True)
def test_cleanup_deletes_what_a_controller_makes_anew_until_it_is_not_ours(
    admission: admission_kit.Admission, command: list[str], waiting_pods: dict[str, str]
) -> None:
    """It runs last: what makes pods ours has to be put back, and takes a while to be active again."""
    mutator = admission.admin.get(f"{ADMISSION}/{command[-1]}")
    made: list[str] = []
    over = threading.Event()

    def replace() -> None:
        """Make a pod whenever there is none, as a ReplicaSet's controller does."""
        gone = waiting_pods["ReplicaSet"]
        while not over.is_set():
            if gone not in admission.pod_names():
                stored = admission.stored(owned(REPLICAS))
                gone = stored["metadata"]["name"]
                made.append(stored["spec"]["schedulerName"])

    controller = threading.Thread(target=replace)
    controller.start()
    try:
        deleted, left, advice = run(command)
    finally:
        over.set()
        controller.join()
    assert made[-1] == "default-scheduler"
    assert deleted.startswith(f"deleted pods that waited for NeuronCores: {len(made)} (default/pod-")
    assert waiting_pods["ReplicaSet"] in deleted
    assert left == f"pods that wait for NeuronCores: {named(waiting_pods['Job'], waiting_pods['nobody'])}"
    assert advice == LEFT
    plural, _, name = command[-1].partition("/")
    admission.admin.create(f"{ADMISSION}/{plural}", {**mutator, "metadata": {"name": name}})
    admission_kit.wait_for(lambda: admission.stored(owned())["spec"]["schedulerName"] == "neuronspan")
