from typing import Any

import pytest

from kits.manifests import builders
from neuronspan import names
from neuronspan_operator.objects import pod_conditions, pods


def test_pod_is_read() -> None:
    pod = pods.read(
        builders.make_pod(
            "web",
            cores=4,
            version="7",
            gates=("other", names.SCHEDULING_GATE),
            priority=10,
            owner="web-rs",
            selector={"zone": "a"},
            unscheduled="0/3 nodes",
        )
    )
    assert (pod.uid, pod.key, pod.resource_version) == ("uid-web", "default/web", "7")
    assert (pod.gated, pod.gate_index, pod.other_gates) == (True, 1, ("other",))
    assert (pod.priority, pod.owner) == (10, pods.Controller("ReplicaSet", "web-rs", "uid-web-rs"))
    assert pod.constraints.node_selector == {"zone": "a"}
    assert pod.unscheduled == pod_conditions.Unscheduled("Unschedulable", "0/3 nodes")
    assert (pod.phase, pod.terminal, pod.deleted, pod.node_name) == ("Pending", False, False, "")


def test_pod_from_a_file_is_read_with_what_it_has() -> None:
    pod = pods.read({"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app"}]}})
    assert (pod.uid, pod.namespace, pod.gated, pod.requests, pod.problems) == ("", "default", False, (), ())


def test_bound_pod_is_not_gated() -> None:
    pod = pods.read(builders.make_pod(cores=1, node="w1", phase="Succeeded", deleted=True))
    assert (pod.gated, pod.node_name, pod.terminal, pod.deleted) == (False, "w1", True, True)


@pytest.mark.parametrize(
    ("annotation", "node"),
    [(None, ""), ("{", ""), ("[]", ""), ('{"node": 4}', ""), ('{"node": "w1", "containers": {}}', "w1")],
)
def test_granted_node_is_read_from_whatever_the_annotation_says(annotation: str | None, node: str) -> None:
    notes = {} if annotation is None else {names.GRANT_ANNOTATION: annotation}
    assert pods.read(builders.make_pod(annotations=notes)).granted_node == node


def test_unreadable_quantity_is_a_problem_not_an_error() -> None:
    (problem,) = pods.read(builders.make_pod(containers=[builders.container(cpu="many")])).problems
    assert (
        problem == "the pod's cpu: 'many' is not a quantity: write a number with or without a unit, like 2, 500m or 4Gi"
    )


# --- patches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "unplaced", "waits"),
    [
        pytest.param({}, True, True, id="ours without a node"),
        pytest.param({"node": "w1"}, False, False, id="ours on a node"),
        pytest.param({"deleted": True}, True, False, id="ours being deleted"),
        pytest.param({"phase": "Failed"}, True, False, id="ours that is over"),
        pytest.param(builders.GUEST, True, True, id="guest behind the gate"),
        pytest.param({"scheduler": "volcano"}, False, False, id="guest that was let go"),
        pytest.param({"scheduler": "default-scheduler"}, False, False, id="never admitted by us"),
    ],
)
def test_pod_waits_for_us_while_nobody_else_can_let_it_start(
    pod: dict[str, Any], *, unplaced: bool, waits: bool
) -> None:
    view = pods.read(builders.make_pod(cores=4, **pod))
    assert (view.unplaced, view.waits) == (unplaced, waits)


def _foreign(**fields: Any) -> dict[str, Any]:
    return builders.make_pod("other", containers=[builders.container(cpu="2")], scheduler="default-scheduler", **fields)


@pytest.mark.parametrize("pod", [_foreign(), _foreign(node="w1", phase="Succeeded")], ids=["no node", "over"])
def test_foreign_pod_that_means_nothing_for_others_is_not_kept(pod: dict[str, Any]) -> None:
    assert pods.read_known(pod) is None


def test_of_a_foreign_pod_only_what_it_means_for_others_is_kept() -> None:
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"}
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{}] * 1000}},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
    }
    known = pods.read_known(_foreign(node="w1", affinity=affinity, owner="rs", tolerations=[{"operator": "Exists"}]))
    assert known is not None
    assert (known.amounts, known.labels) == ({"cpu": 2000}, {names.MANAGED_LABEL: names.MANAGED_VALUE})
    assert len(known.constraints.pod_affinity.anti_required) == 1
    assert known.constraints.node_affinity.required is None
    assert (known.constraints.tolerations, known.owner) == ((), None)


def test_foreign_pods_with_equal_labels_share_them_and_a_pod_of_a_file_does_not() -> None:
    first, second = (pods.read_known(_foreign(node="w1")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.labels is second.labels
    file = _foreign(node="w1")
    del file["metadata"]["uid"]
    odd: Any = {"app": ["not", "a", "label"]}
    file["metadata"]["labels"] = odd
    assert pods.read(file).labels == odd


def test_foreign_pod_that_is_being_resized_counts_with_the_most_it_has_or_was_promised() -> None:
    pod = _foreign(node="w1")
    name = pod["spec"]["containers"][0]["name"]
    reported = {"name": name, "resources": {"requests": {"cpu": "3"}}, "allocatedResources": {"cpu": "4"}}
    known = pods.read_known({**pod, "status": {**pod["status"], "containerStatuses": [reported]}})
    assert known is not None
    assert known.amounts == {"cpu": 4000}


@pytest.mark.parametrize(
    "pod",
    [
        builders.make_pod("ours"),
        builders.make_pod("asks", cores=2, scheduler="default-scheduler"),
        builders.make_pod("gated", **builders.GUEST),
        builders.make_pod("notes", scheduler="default-scheduler", annotations={names.CORES_ANNOTATION: "x"}),
    ],
    ids=lambda pod: pod["metadata"]["name"],
)
def test_pod_that_is_our_business_is_kept_whole(pod: dict[str, Any]) -> None:
    assert pods.read_known(pod) == pods.read(pod)
