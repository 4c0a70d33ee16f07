"""Every good request ends in the same form: scheduler, label, and resource limits for the right containers."""

from typing import Any

import pytest

from kits.api_server import admission as admission_kit
from kits.api_server import chart
from kits.requests import good
from neuronspan import annotations, names
from neuronspan_operator.objects import pods

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]  # the first test starts the API server

P = "neuronspan.dev/"
CORES, DEVICES = admission_kit.CORES, admission_kit.DEVICES
container = admission_kit.container
pod = admission_kit.pod

POD_WIDE = {each.name for each in annotations.OF_USERS if each.asks}


def resources(stored: dict[str, Any], kind: str) -> dict[str, dict[str, str]]:
    containers = [*stored["spec"].get("initContainers", []), *stored["spec"]["containers"]]
    return {each["name"]: each["resources"].get(kind, {}) for each in containers}


def gates(stored: dict[str, Any]) -> list[str]:
    return [gate["name"] for gate in stored["spec"].get("schedulingGates", [])]


@pytest.mark.parametrize(("manifest", "expected"), good.GOOD.values(), ids=good.GOOD)
def test_good_request_is_stored_in_the_common_form(
    admission: admission_kit.Admission, manifest: dict[str, Any], expected: dict[str, dict[str, str]]
) -> None:
    stored = admission.stored(manifest)
    assert resources(stored, "limits") == expected
    assert resources(stored, "requests") == expected
    assert stored["spec"]["schedulerName"] == names.SCHEDULER
    assert gates(stored) == []
    assert stored["metadata"]["labels"] == {names.MANAGED_LABEL: names.MANAGED_VALUE}
    written = manifest["metadata"]["annotations"]
    fixed = {names.CONTAINER_ANNOTATION: manifest["spec"]["containers"][0]["name"]} if written.keys() & POD_WIDE else {}
    assert stored["metadata"].get("annotations", {}) == {**written, **fixed}


@pytest.mark.parametrize("manifest", [manifest for manifest, _ in good.GOOD.values()], ids=good.GOOD)
def test_operator_understands_what_is_stored(admission: admission_kit.Admission, manifest: dict[str, Any]) -> None:
    view = pods.read(admission.stored(manifest))
    assert view.problems == ()
    assert view.unlimited == ()
    assert view.waits
    asked = {each.container: each.count for each in view.requests}
    limits = resources(admission.stored(manifest), "limits")
    assert asked.items() <= {name: max(map(int, found.values())) for name, found in limits.items() if found}.items()
    assert asked


@pytest.mark.parametrize("written", ["default-scheduler", "neuronspan", ""])
def test_pod_without_a_scheduler_of_its_own_is_ours(admission: admission_kit.Admission, written: str) -> None:
    manifest = pod({P + "cores": "4"}, schedulerName=written)
    assert admission.stored(manifest)["spec"]["schedulerName"] == names.SCHEDULER


def test_gates_of_others_stay(admission: admission_kit.Admission) -> None:
    manifest = pod({P + "cores": "4"}, schedulingGates=[{"name": "other.example/gate"}])
    stored = admission.stored(manifest)
    assert gates(stored) == ["other.example/gate"]
    assert stored["spec"]["schedulerName"] == names.SCHEDULER


def test_pod_that_has_everything_but_its_limits_still_gets_them(admission: admission_kit.Admission) -> None:
    """As one into which a later policy has put the container that an annotation names."""
    asked = pod({P + "container": "a", P + "cores": "4", "cores.neuronspan.dev/b": "2"}, container("a"), container("b"))
    asked["metadata"]["labels"] = {names.MANAGED_LABEL: names.MANAGED_VALUE}
    asked["spec"] |= {"schedulerName": names.SCHEDULER}
    stored = admission.stored(asked)["spec"]["containers"]
    assert [each["resources"]["limits"] for each in stored] == [{CORES: "4"}, {CORES: "2"}]


def test_order_and_content_of_containers_stay(admission: admission_kit.Admission) -> None:
    third = {**container("c"), "env": [{"name": "A", "value": "1"}], "resources": {"limits": {"cpu": "2"}}}
    manifest = pod({"cores.neuronspan.dev/c": "4"}, container("a"), container("b"), third)
    stored = admission.stored(manifest)["spec"]["containers"]
    assert [each["name"] for each in stored] == ["a", "b", "c"]
    assert stored[2]["env"] == third["env"]
    assert stored[2]["resources"]["limits"] == {"cpu": "2", CORES: "4"}


@pytest.mark.parametrize(
    "manifest",
    [pod(), pod({"example.com/cores": "4"}), pod({}, container("app", cores=0))],
    ids=["plain", "foreign annotation", "limit of none"],
)
def test_pod_that_does_not_ask_is_left_alone(admission: admission_kit.Admission, manifest: dict[str, Any]) -> None:
    stored = admission.stored(manifest)
    assert stored["spec"]["schedulerName"] == "default-scheduler"
    assert "labels" not in stored["metadata"]


def test_mirror_of_a_static_pod_is_labelled_and_nothing_else(admission: admission_kit.Admission) -> None:
    """It runs already: refusing it would only hide it, and it is too late to choose its node."""
    manifest = pod({"kubernetes.io/config.mirror": "x"}, container("app", cores=2), nodeName="w1")
    stored = admission.stored(manifest)
    assert stored["spec"]["schedulerName"] == "default-scheduler"
    assert stored["metadata"]["labels"] == {names.MANAGED_LABEL: names.MANAGED_VALUE}


def test_pod_of_a_controller_takes_the_same_path(admission: admission_kit.Admission) -> None:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "1", "controller": True}
    manifest = pod({P + "cores": "4"})
    manifest["metadata"] = {**manifest["metadata"], "generateName": "web-1-", "ownerReferences": [owner]}
    stored = admission.stored(manifest)
    assert resources(stored, "limits") == {"app": {CORES: "4"}}
    assert stored["spec"]["schedulerName"] == names.SCHEDULER


def test_pod_of_the_release_test_asks_for_one_core(admission: admission_kit.Admission) -> None:
    hook = chart.render().of_kind("Pod")[0]
    stored = admission.admin.create(f"{admission_kit.collection(hook)}?fieldValidation=Strict", hook)
    assert resources(stored, "limits")["test"][CORES] == "1"
    assert stored["spec"]["schedulerName"] == names.SCHEDULER


def test_many_containers_stay_within_the_cost_limits(admission: admission_kit.Admission) -> None:
    containers = [container(f"c{number}") for number in range(64)]
    asking = {f"cores.neuronspan.dev/{each['name']}": "2" for each in containers}
    stored = admission.stored(pod(asking, *containers))
    assert set(map(str, resources(stored, "limits").values())) == {str({CORES: "2"})}
