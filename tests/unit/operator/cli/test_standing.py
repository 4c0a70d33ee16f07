"""Where a pod stands, in words: nothing is promised that the objects do not show."""

from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, instance_types, names
from neuronspan_operator.cli import standing

BAD = {names.CORES_ANNOTATION: "four"}


def _standing(pod: dict[str, Any], *others: dict[str, Any], **neuron_node: Any) -> str:
    members = [builders.make_neuron_node(**neuron_node)]
    found = snapshots.snapshot([pod, *others], None, members)
    return standing.of(found, found.pods[pod["metadata"]["uid"]], snapshots.NOW)


@pytest.mark.parametrize(
    ("pod", "sentence"),
    [
        pytest.param(builders.make_pod(scheduler="default-scheduler"), "asks for no NeuronCores", id="nothing asked"),
        pytest.param(
            builders.make_pod(cores=4, phase="Succeeded"),
            "has succeeded and gets no NeuronCores: create it again to run it again",
            id="succeeded",
        ),
        pytest.param(
            builders.make_pod(cores=4, phase="Failed", scheduler="default-scheduler"),
            "has failed and gets no NeuronCores: create it again to run it again",
            id="failed",
        ),
        pytest.param(
            builders.make_pod(cores=4, deleted=True), "is being deleted and gets no NeuronCores", id="being deleted"
        ),
        pytest.param(
            builders.make_pod(cores=4, scheduler="default-scheduler"),
            "has scheduler default-scheduler and no gate neuronspan.dev/cores, so the operator grants it nothing: it "
            "was created before neuronspan was installed, or the admission policies did not see it. Create it again to "
            "have cores granted to it.",
            id="before the installation",
        ),
        pytest.param(
            builders.make_pod(cores=4, scheduler="default-scheduler", unscheduled="0/3 nodes are available"),
            "has scheduler default-scheduler and no gate neuronspan.dev/cores, so the operator grants it nothing: it "
            "was created before neuronspan was installed, or the admission policies did not see it. Create it again to "
            "have cores granted to it. Its scheduler says: 0/3 nodes are available",
            id="before the installation and unscheduled",
        ),
        pytest.param(
            builders.make_pod(cores=4, node="w1", phase="Running"),
            "is Running on node w1 without a grant: the operator enters its cores into the ledger when the node's "
            "device plugin reports that a container holds them",
            id="bound without a grant",
        ),
        pytest.param(
            builders.make_pod(cores=4, scheduler="default-scheduler", grant={"node": "w9"}),
            'has the grant annotation {"node": "w9"} and no ledger has cores of it: if that stays so, delete it and '
            "create it again",
            id="grant that no ledger knows",
        ),
        pytest.param(
            builders.make_pod(annotations=BAD, scheduler="default-scheduler"),
            'can get no cores: annotation neuronspan.dev/cores is "four": write the number of NeuronCores, from "1" to '
            f'"{instance_types.MOST_CORES}", which is what the largest instance type has',
            id="bad request never admitted",
        ),
        pytest.param(
            builders.make_pod(annotations=BAD),
            'waits (InvalidRequest): annotation neuronspan.dev/cores is "four": write the number of NeuronCores, from '
            f'"1" to "{instance_types.MOST_CORES}", which is what the largest instance type has',
            id="bad request",
        ),
        pytest.param(
            builders.make_pod(cores=40),
            "waits (NeverFits): 0/1 nodes are available: 1 node(s) too small (32 NeuronCores). The pod asks for 40 "
            "NeuronCores for container app. The largest node that the pod may use, w1 (trn1.32xlarge), has 32 "
            "NeuronCores on 16 devices, too few even if it were empty: ask for less in one pod, or add a larger node.",
            id="waits",
        ),
        pytest.param(
            builders.make_pod(cores=4),
            "has no cores yet, and nothing in the cluster's ledgers keeps it: node w1 has room now (cores 0-3 for "
            "container app). If it keeps waiting, look whether the operator runs and what it says in the pod's Events.",
            id="fits",
        ),
    ],
)
def test_pod_without_cores_is_told_what_is_known(pod: dict[str, Any], sentence: str) -> None:
    assert _standing(pod) == f"pod default/web {sentence}"


def test_pod_with_cores_names_them_and_how_far_it_is() -> None:
    pod = builders.make_pod(cores=4, node="w1", phase="Running", deleted=True)
    entries = [domain.grant("4-7", state=grants.GrantState.CONFIRMED), domain.grant("8", "other")]
    assert _standing(pod, entries=entries) == (
        "pod default/web is Running, being deleted; "
        "container app: cores 4-7 of node w1 (Confirmed since 2026-01-31T09:00:00Z)"
    )


def test_unplaced_pod_with_cores_says_what_keeps_it() -> None:
    group = {names.POD_GROUP_ANNOTATION: "g", names.POD_GROUP_SIZE_ANNOTATION: "2"}
    pod = builders.make_pod(cores=4, annotations=group)
    sibling = builders.make_pod("second", cores=40, annotations=group)
    found = _standing(pod, sibling, entries=[domain.grant("4-7")])
    assert found.startswith("pod default/web is Pending; container app: cores 4-7 of node w1 (Granted since ")
    assert "; it waits (Revoked): Its grant is being taken back: pod group g" in found


def test_pod_that_fits_may_be_held_back_when_siblings_failed() -> None:
    failed = [builders.make_pod(f"web-{index}", cores=4, owner="web", phase="Failed") for index in range(2)]
    others = [builders.make_pod("db-1", cores=4, owner="db", phase="Failed"), builders.make_pod("x", owner="web")]
    found = _standing(builders.make_pod("web-2", cores=4, owner="web"), *failed, *others)
    assert found.endswith(
        "what it says in the pod's Events: it may hold the pod back for a while (BackOff), because pods of ReplicaSet "
        "web have failed: web-0, web-1."
    )


def test_failed_pods_without_a_controller_are_no_sign_of_a_back_off() -> None:
    found = _standing(builders.make_pod(cores=4), builders.make_pod("old", cores=4, phase="Failed"))
    assert "BackOff" not in found
