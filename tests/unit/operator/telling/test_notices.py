"""Sentences of conditions and Events."""

import pytest

from kits.manifests import builders
from neuronspan import spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import pod_conditions, pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import notices


def test_sentence_ends_in_the_code_that_the_reference_explains() -> None:
    why = plans.Waiting(reasons.WaitingReason.NO_ROOM, "0/5 nodes are available.")
    assert notices.sentence(why) == "0/5 nodes are available. (NoRoom)"


def test_long_sentence_is_cut_and_keeps_its_code() -> None:
    said = notices.sentence(plans.Waiting(reasons.WaitingReason.NO_ROOM, "x" * 5000))
    assert len(said) == notices.LONGEST
    assert said.endswith("x (NoRoom)")


def test_waiting_pod_gets_a_warning_as_from_any_scheduler_that_lasts() -> None:
    pod = pods.read(builders.make_pod("web", cores=4))
    notice = notices.waits(pod, plans.Waiting(reasons.WaitingReason.NO_ROOM, "full."))
    assert (notice.type, notice.reason, notice.message) == ("Warning", "FailedScheduling", "full. (NoRoom)")
    assert (notice.lasting, notice.said_before) == (True, False)


@pytest.mark.parametrize("reason", [*reasons.WaitingReason, *reasons.ConditionReason])
def test_pod_with_a_condition_of_ours_was_told_before(reason: str) -> None:
    assert notices.is_told(pods.PodView("u", "default", "web", unscheduled=pod_conditions.Unscheduled(str(reason), "")))


def test_pod_with_the_condition_of_the_api_server_was_not_told_before() -> None:
    assert not notices.is_told(
        pods.PodView("u", "default", "web", unscheduled=pod_conditions.Unscheduled("SchedulingGated", ""))
    )
    assert not notices.is_told(pods.PodView("u", "default", "web"))


def test_bound_pod_is_told_its_node_and_its_cores() -> None:
    pod = pods.read(builders.make_pod("web", cores=4))
    notice = notices.bound(pod, "w1", {"b": spans.CoreSpan(0, 2), "app": spans.CoreSpan(4, 4)})
    assert (notice.type, notice.reason) == ("Normal", "Scheduled")
    assert notice.message == "Successfully assigned default/web to w1: NeuronCores app 4-7, b 0-1"
