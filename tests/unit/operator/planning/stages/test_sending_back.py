"""Pods that were let go and cannot reach their cores."""

import datetime as dt
from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import plans

TOLD = {"node": "w1", "containers": {"app": "4-7"}}
POLICY = pools.Policy(limbo_seconds=60)


def _pod(owner: str = "rs", **fields: Any) -> dict[str, Any]:
    """Return a guest that its own scheduler refused after it had left the gate."""
    pinned = {"scheduler": "volcano", "grant": TOLD, "selector": {names.HOSTNAME_LABEL: "w1"}, "unscheduled": "no room"}
    return builders.make_pod(cores=4, owner=owner, **(pinned | fields))


def _plan(pod: dict[str, Any], node: dict[str, Any] | None, age: float = 1, **grant: Any) -> plans.Plan:
    entry = domain.grant("4-7", since=snapshots.ago(age), **grant)
    return snapshots.plan([pod], [node] if node else [], [builders.make_neuron_node("w1", [entry])], POLICY)


def _told(plan: plans.Plan) -> list[str]:
    return [each.message for each in plan.notices if each.reason == "Limbo"]


def test_pod_on_its_way_is_left_alone_until_the_time_is_up() -> None:
    plan = _plan(_pod(), builders.make_node(), age=59)
    assert plan.evictions == ()
    assert plan.wake_at == snapshots.NOW + dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("pod", "node", "age", "why"),
    [
        pytest.param(_pod(), builders.make_node(), 60, "within 60 s", id="time is up"),
        pytest.param(_pod(unscheduled="0/3: no CPU"), builders.make_node(), 60, "0/3: no CPU", id="scheduler's words"),
        pytest.param(_pod(), builders.make_node(cordoned=True), 1, "cordoned", id="cordoned"),
        pytest.param(_pod(), builders.make_node(ready=False), 1, "not Ready", id="not ready"),
        pytest.param(_pod(), builders.make_node(deleted=True), 1, "being deleted", id="node being deleted"),
        pytest.param(_pod(), None, 1, "w1 is gone", id="node gone"),
        pytest.param(_pod(kind="StatefulSet"), builders.make_node(), 60, "within 60 s", id="another controller"),
    ],
)
def test_pod_with_a_controller_is_evicted_and_its_grant_kept(
    pod: dict[str, Any], node: dict[str, Any] | None, age: float, why: str
) -> None:
    plan = _plan(pod, node, age)
    (eviction,) = plan.evictions
    assert why in eviction.reason
    assert plan.ledgers == ()
    assert _told(plan) == []


def test_pod_on_its_way_to_a_node_that_registered_anew_is_left_alone() -> None:
    assert _plan(_pod(), builders.make_node(uid="uid-new")).evictions == ()


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        pytest.param(_pod(owner=""), "no controller", id="bare"),
        pytest.param(_pod(kind="Job"), "Job would count that as a failure", id="of a Job"),
    ],
)
def test_guest_that_must_not_be_evicted_is_told_and_loses_its_cores(pod: dict[str, Any], why: str) -> None:
    plan = _plan(pod, builders.make_node(), age=60)
    assert plan.evictions == ()
    (message,) = _told(plan)
    assert why in message
    assert "delete it and create it again" in message
    assert snapshots.written(plan) == {"web/app": "4-7 Releasing"}


@pytest.mark.parametrize("owner", ["", "rs"])
@pytest.mark.parametrize("kind", ["ReplicaSet", "Job"])
@pytest.mark.parametrize("reason", ["", "SchedulingGated", "SchedulerError"])
def test_nobody_is_sent_back_because_it_waited(owner: str, kind: str, reason: str) -> None:
    """No scheduler may be running: only the verdict of one, about the pod without its gate, counts."""
    pod = _pod(owner, kind=kind, unscheduled="")
    if reason:
        stale = {"type": "PodScheduled", "status": "False", "reason": reason, "message": "waiting"}
        pod["status"]["conditions"] = [stale]
    plan = _plan(pod, builders.make_node(cordoned=True), age=10_000)
    assert (plan.evictions, plan.ledgers, _told(plan)) == ((), (), [])


def test_pod_that_we_bind_is_never_sent_back_while_it_waits() -> None:
    pod = builders.make_pod(cores=4, owner="rs", unscheduled="0/1 nodes are available")
    assert _plan(pod, builders.make_node(cordoned=True), age=10_000).evictions == ()


def test_pod_with_unhealthy_cores_is_sent_back() -> None:
    members = [builders.make_neuron_node("w1", [domain.grant("4-7", since=snapshots.ago(1))], unhealthy={7: "ECC"})]
    (eviction,) = snapshots.plan([_pod()], None, members).evictions
    assert "some of its cores on node w1 are unhealthy: 7 (ECC)" in eviction.reason


def test_pod_whose_grant_was_taken_back_is_sent_back() -> None:
    (eviction,) = _plan(_pod(), builders.make_node(), state=grants.GrantState.RELEASING).evictions
    assert "taken back" in eviction.reason


def test_lost_plugin_is_waited_for() -> None:
    """A DaemonSet rollout takes seconds: that is no reason to send pods back."""
    assert _plan(_pod(), builders.make_node(cores=0)).evictions == ()


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(_pod(node="w1", phase="Running"), id="bound"),
        pytest.param(_pod(deleted=True), id="being deleted"),
        pytest.param(_pod(phase="Failed"), id="over"),
    ],
)
def test_other_pods_are_left_alone_on_a_cordoned_node(pod: dict[str, Any]) -> None:
    plan = _plan(pod, builders.make_node(cordoned=True))
    assert (plan.evictions, _told(plan)) == ((), [])


def test_pod_in_no_ledger_is_left_alone_while_its_node_exists() -> None:
    """Our copy of the ledger may be older than our copy of the pod."""
    plan = snapshots.plan([_pod()], None, [builders.make_neuron_node("w1")])
    assert plan.evictions == ()


def test_pod_in_no_ledger_is_sent_back_when_its_node_is_gone() -> None:
    (eviction,) = snapshots.plan([_pod()], [], []).evictions
    assert "w1 is gone" in eviction.reason


def test_pod_that_is_not_pinned_has_the_same_time() -> None:
    """Somebody removed the gate by hand."""
    pod = _pod(selector={}, grant=None)
    assert _plan(pod, builders.make_node(), age=59).evictions == ()
    assert len(_plan(pod, builders.make_node(), age=60).evictions) == 1


@pytest.mark.parametrize("uid", ["uid-web", ""], ids=["known by its UID", "known by its name"])
def test_running_pod_is_left_alone_when_somebody_else_holds_its_cores_too(uid: str) -> None:
    """It came first and uses them: the plugin keeps the other one from starting."""
    running = _pod(node="w1", phase="Running")
    intruder = builders.make_pod("intruder", cores=2, owner="rs", node="w1")
    held = [builders.held("4-7", uid=uid), builders.held("6-7", "intruder")]
    members = [builders.make_neuron_node("w1", [domain.grant("4-7", state=grants.GrantState.CONFIRMED)], held=held)]
    plan = snapshots.plan([running, intruder], None, members, POLICY)
    assert "ContestedCores" in {each.kind for each in plan.drift}
    assert (plan.evictions, _told(plan)) == ((), [])


def test_static_pod_is_never_sent_back() -> None:
    """Its cores are contested here: kubelet alone could end it, and would start it again."""
    other = builders.held("4-7", "other")
    entry = domain.grant("4-7", pod_uid=builders.STATIC_UID)
    member = builders.make_neuron_node("w1", [entry], held=[other])
    plan = snapshots.plan([builders.make_mirror(cores=4)], None, [member], POLICY)
    assert plan.evictions == ()
    assert _told(plan) == []
