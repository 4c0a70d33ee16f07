import json
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans

RIGHT = {"node": "w1", "containers": {"app": "4-7"}}


def _pod(**fields: Any) -> dict[str, Any]:
    return builders.make_pod(cores=4, **({"node": "w1", "phase": "Running"} | fields))


def _plan(pod: dict[str, Any], state: grants.GrantState = grants.GrantState.CONFIRMED) -> plans.Plan:
    members = [builders.make_neuron_node("w1", [domain.grant("4-7", state=state, since=snapshots.ago(1))])]
    return snapshots.plan([pod], None, members)


def test_right_annotation_is_left_alone() -> None:
    plan = _plan(_pod(grant=RIGHT))
    assert (plan.patches, plan.notices) == ((), ())


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param({"node": "w1", "containers": {"app": "0-31"}}, id="more cores"),
        pytest.param({"node": "w2", "containers": {"app": "4-7"}}, id="another node"),
        pytest.param({}, id="emptied"),
    ],
)
def test_edited_annotation_is_corrected_and_the_pod_warned(edited: dict[str, Any]) -> None:
    manifest = _pod(grant=edited)
    plan = _plan(manifest)
    (patch,), (notice,) = plan.patches, plan.notices
    after = pods.read(builders.patched(manifest, patch.patch))
    assert after.annotated_grant() == RIGHT
    assert (notice.type, notice.reason) == ("Warning", "GrantCorrected")
    assert json.dumps(edited) in notice.message
    assert plan.ledgers == ()


def test_unreadable_annotation_is_corrected() -> None:
    plan = _plan(_pod(annotations={names.GRANT_ANNOTATION: "{"}))
    assert len(plan.patches) == 1


def test_adopted_pod_is_told_its_cores() -> None:
    (patch,), (notice,) = (plan := _plan(_pod())).patches, plan.notices
    assert (notice.type, notice.reason) == ("Normal", "GrantAdopted")
    assert patch.pod.name == "web"


def test_mirror_of_an_adopted_static_pod_is_patched_as_the_object_that_it_is() -> None:
    mirror = builders.make_mirror(cores=4, phase="Running")
    entry = domain.grant("4-7", pod_uid=builders.STATIC_UID, state=grants.GrantState.CONFIRMED, since=snapshots.ago(1))
    (patch,) = snapshots.plan([mirror], None, [builders.make_neuron_node("w1", [entry])]).patches
    assert patch.patch["metadata"]["uid"] == mirror["metadata"]["uid"] != builders.STATIC_UID


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(_pod(deleted=True), id="terminating"),
        pytest.param(_pod(phase="Succeeded"), id="over"),
        pytest.param(_pod(node="w2"), id="on another node"),
        pytest.param(_pod(node="", phase="Pending"), id="still unplaced"),
    ],
)
def test_pods_that_will_not_use_the_grant_are_left_alone(pod: dict[str, Any]) -> None:
    assert _plan(pod).patches == ()


def test_grant_that_changes_now_is_told_when_it_is_stored() -> None:
    plan = snapshots.plan(
        [_pod(grant=RIGHT)],
        None,
        [builders.make_neuron_node("w1", [domain.grant("4-7")], held=[builders.held("8-11")])],
    )
    assert snapshots.written(plan) == {"web/app": "8-11 Confirmed"}
    assert plan.patches == ()
