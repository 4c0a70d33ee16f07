"""What a pod requests in all, as the scheduler adds it up."""

import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders
from neuronspan_operator.objects import pods
from neuronspan_operator.objects.constraints import amounts

APP = builders.container


def _requesting(name: str = "app", **resources: str) -> dict[str, Any]:
    """A container with these requests only; underscores stand for hyphens."""
    return {"name": name, "resources": {"requests": {key.replace("_", "-"): each for key, each in resources.items()}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"containers": [APP(cpu="1", memory="1Gi"), APP("b", cpu="500m")]},
            {"cpu": 1500, "memory": 1 << 30},
            id="sum",
        ),
        pytest.param(
            {"containers": [APP(cpu="1")], "initContainers": [APP("i", cpu="3")]}, {"cpu": 3000}, id="init peak"
        ),
        pytest.param(
            {"containers": [APP(cpu="1")], "initContainers": [APP("s", cpu="3", sidecar=True)]},
            {"cpu": 4000},
            id="sidecar",
        ),
        pytest.param(
            {"containers": [APP(cpu="1")], "initContainers": [APP("s", cpu="2", sidecar=True), APP("i", cpu="4")]},
            {"cpu": 6000},
            id="init container beside an earlier sidecar",
        ),
        pytest.param(
            {"containers": [APP(cpu="1")], "initContainers": [APP("i", cpu="4"), APP("s", cpu="2", sidecar=True)]},
            {"cpu": 4000},
            id="init container before the sidecar",
        ),
        pytest.param(
            {
                "containers": [APP(cpu="1")],
                "initContainers": [APP("s", memory="1Ki", sidecar=True), APP("i", cpu="2")],
            },
            {"cpu": 2000, "memory": 1024},
            id="sidecar of another resource than the init container",
        ),
        pytest.param(
            {"containers": [APP(cpu="1")], "overhead": {"cpu": "250m", "memory": "10Mi"}},
            {"cpu": 1250, "memory": 10 << 20},
            id="overhead",
        ),
        pytest.param(
            {"containers": [APP(cpu="9")], "resources": {"requests": {"cpu": "7"}}, "overhead": {"cpu": "1"}},
            {"cpu": 8000},
            id="the pod's own requests replace those of its containers",
        ),
        pytest.param(
            {
                "containers": [_requesting(hugepages_2Mi="4Mi", ephemeral_storage="1Gi")],
                "resources": {"requests": {"hugepages-2Mi": "8Mi", "ephemeral-storage": "9Gi"}},
            },
            {"hugepages-2Mi": 8 << 20, "ephemeral-storage": 1 << 30},
            id="a pod as a whole requests huge pages, and no ephemeral storage",
        ),
        pytest.param(
            {"containers": [{"name": "app"}], "resources": {"limits": {"cpu": "2"}}},
            {"cpu": 2000},
            id="the pod's limit stands in where no container requests anything",
        ),
        pytest.param(
            {"containers": [_requesting(cpu="1")], "resources": {"limits": {"cpu": "2"}}},
            {"cpu": 1000},
            id="the pod's limit does not stand in where a container requests it",
        ),
        pytest.param(
            {"containers": [{"name": "app", "resources": {"limits": {"cpu": "2"}}}]},
            {"cpu": 2000},
            id="limits stand in",
        ),
        pytest.param(
            {"containers": [_requesting("a", memory="500m"), _requesting("b", memory="500m")]},
            {"memory": 1},
            id="rounded once, after adding up",
        ),
        pytest.param({"containers": [_requesting(cpu="100u")]}, {"cpu": 1}, id="rounded up"),
        pytest.param({"containers": [_requesting(cpu="0")]}, {}, id="nothing of a resource is no request"),
        pytest.param({"containers": [{"name": "app"}]}, {}, id="nothing"),
    ],
)
def test_requests_are_added_up_as_the_scheduler_does(spec: dict[str, Any], expected: dict[str, int]) -> None:
    assert amounts.of(spec) == (expected, ())


def _status(requests: str, allocated: str, *, infeasible: bool = False) -> dict[str, Any]:
    condition = {"type": "PodResizePending", "reason": "Infeasible" if infeasible else "Deferred"}
    reported = {"name": "app", "resources": {"requests": {"cpu": requests}}, "allocatedResources": {"cpu": allocated}}
    return {"containerStatuses": [reported], "conditions": [condition]}


@pytest.mark.parametrize(
    ("wanted", "status", "cpu"),
    [
        pytest.param("1", _status("2", "3"), 3000, id="what was promised"),
        pytest.param("1", _status("3", "2"), 3000, id="what the container still has"),
        pytest.param("4", _status("3", "2"), 4000, id="what it will have"),
        pytest.param("4", _status("3", "2", infeasible=True), 3000, id="what it will never have does not count"),
        pytest.param("4", {"containerStatuses": [{"name": "app"}]}, 4000, id="a status that says nothing"),
        pytest.param("4", {"containerStatuses": [{"name": "b", "resources": {}}]}, 4000, id="of another container"),
    ],
)
def test_most_counts_while_a_container_is_resized(wanted: str, status: dict[str, Any], cpu: int) -> None:
    assert amounts.of({"containers": [_requesting(cpu=wanted)]}, status) == ({"cpu": cpu}, ())


def test_sidecar_is_resized_like_a_container_and_an_init_container_is_not() -> None:
    status = {
        "initContainerStatuses": [
            {"name": name, "resources": {"requests": {"cpu": "5"}}, "allocatedResources": {"cpu": "5"}}
            for name in ("s", "i")
        ]
    }
    spec = {"initContainers": [_requesting("s", cpu="1") | {"restartPolicy": "Always"}, _requesting("i", cpu="2")]}
    assert amounts.of(spec, status) == ({"cpu": 7000}, ())


def test_most_counts_while_a_pod_is_resized_as_a_whole() -> None:
    status = {"resources": {"requests": {"cpu": "3"}}, "allocatedResources": {"cpu": "2", "memory": "1Gi"}}
    spec = {"containers": [_requesting(memory="1Ki")], "resources": {"requests": {"cpu": "1"}}}
    assert amounts.of(spec, status) == ({"cpu": 3000, "memory": 1024}, ())


def _running(cpu: str) -> dict[str, Any]:
    requests = {"cpu": cpu}
    return {"containerStatuses": [{"name": "app", "resources": {"requests": requests}, "allocatedResources": requests}]}


def test_pods_that_have_what_they_ask_for_share_their_amounts_with_their_like() -> None:
    found, _ = amounts.of({"containers": [_requesting(cpu="7")]}, _running("7"))
    assert found == {"cpu": 7000}
    assert amounts.of({"containers": [_requesting(cpu="7") | {"image": "other"}]})[0] is found
    assert amounts.of({"containers": [_requesting(cpu="7")]}, _running("8")) == ({"cpu": 8000}, ())


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"containers": [_requesting(cpu="1")], "overhead": {"cpu": "1"}}, id="overhead"),
        pytest.param({"containers": [_requesting(cpu="1"), _requesting("b", cpu="1")]}, id="container"),
        pytest.param({"containers": [_requesting(cpu="1")], "resources": {"requests": {"cpu": "2"}}}, id="pod"),
        pytest.param({"containers": [_requesting(cpu="1")], "initContainers": [_requesting("i", cpu="2")]}, id="init"),
    ],
)
def test_pods_that_ask_for_more_are_not_taken_for_their_like(spec: dict[str, Any]) -> None:
    assert amounts.of({"containers": [_requesting(cpu="1")]})[0] == {"cpu": 1000}
    assert amounts.of(spec)[0] == {"cpu": 2000}


@pytest.mark.parametrize("odd", [dt.date(2026, 1, 1), "9" * 10_000], ids=["no value of JSON", "very long"])
def test_amount_that_is_not_remembered_is_read_all_the_same(odd: Any) -> None:
    found, problems = amounts.of({"containers": [APP(cpu="1", memory="1Ki"), _requesting("b", cpu=odd)]})
    assert (found, len(problems)) == ({"cpu": 1000, "memory": 1024}, 1)


def test_neuron_resources_are_counted_too() -> None:
    pod = pods.read(builders.make_pod(containers=[APP("a", cores=4), APP("b", cores=1), APP("c", devices=2)]))
    assert (pod.neuroncores, pod.neuron_devices) == (5, 2)


def test_unreadable_quantities_are_problems_by_resource_not_errors() -> None:
    found, problems = amounts.of({"containers": [APP(cpu="many", memory="1Ki"), APP("b", cpu="few")]})
    assert found == {"memory": 1024}
    assert problems == (
        "the pod's cpu: 'few' is not a quantity: write a number with or without a unit, like 2, 500m or 4Gi",
    )
