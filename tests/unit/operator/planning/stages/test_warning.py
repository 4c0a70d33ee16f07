"""Bound pods that ask by annotation and have no limit: they are told, and block nothing."""

from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import names
from neuronspan_operator import reasons
from neuronspan_operator.planning import plans

WHOLE_NODE = {names.CORES_ANNOTATION: "32"}


def _old(**fields: Any) -> dict[str, Any]:
    """Return a pod that was bound before there was any admission."""
    return builders.make_pod("old", annotations=WHOLE_NODE, scheduler="default-scheduler", node="w1", **fields)


def _warned(plan: plans.Plan) -> list[plans.Notice]:
    return [each for each in plan.notices if each.reason == reasons.EventReason.WITHOUT_LIMIT]


def test_bound_pod_without_a_limit_is_told_for_as_long_as_it_lives() -> None:
    (notice,) = _warned(snapshots.plan([_old()]))
    assert (notice.name, notice.lasting, notice.type) == ("old", True, plans.NoticeType.WARNING)
    assert notice.message.startswith("Container app asks for NeuronCores by annotation and has no limit")
    assert "write the limit aws.amazon.com/neuroncore yourself" in notice.message


def test_bound_pod_without_a_limit_keeps_no_cores_from_others() -> None:
    plan = snapshots.plan([_old(), builders.make_pod("new", cores=32)])
    assert snapshots.let_go(plan) == {"new": "w1 app=0-31"}


@pytest.mark.parametrize("exact", ["0-31", "4-7"])
def test_cores_that_it_names_are_free_for_others_too(exact: str) -> None:
    old = builders.make_pod("old", annotations={names.VISIBLE_CORES_ANNOTATION: exact}, node="w1")
    plan = snapshots.plan([old, builders.make_pod("new", cores=32)])
    assert snapshots.let_go(plan) == {"new": "w1 app=0-31"}


def test_pod_that_is_being_deleted_keeps_the_amount_that_kubelet_still_counts_and_no_cores_of_its_own() -> None:
    exact = {names.VISIBLE_CORES_ANNOTATION: "0-3"}
    leaving = builders.make_pod("leaving", cores=4, annotations=exact, node="w1", deleted=True)
    plan = snapshots.plan([leaving, builders.make_pod("new", cores=28)])
    assert snapshots.let_go(plan) == {"new": "w1 app=0-27"}


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(_old(deleted=True), id="being deleted"),
        pytest.param(_old(phase="Failed"), id="over"),
        pytest.param(builders.make_pod("old", cores=4, node="w1"), id="with its limit"),
        pytest.param(builders.make_pod("old", annotations=WHOLE_NODE), id="without a node: it waits with a reason"),
    ],
)
def test_others_are_not_warned(pod: dict[str, Any]) -> None:
    assert _warned(snapshots.plan([pod])) == []


def test_pod_with_cores_in_the_ledger_is_not_warned() -> None:
    members = [builders.make_neuron_node("w1", [domain.grant("0-31", "old")])]
    assert _warned(snapshots.plan([_old()], None, members)) == []
