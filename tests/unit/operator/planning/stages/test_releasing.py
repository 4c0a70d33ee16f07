from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants
from neuronspan_operator.objects import pools
from neuronspan_operator.planning import plans

RELEASING = grants.GrantState.RELEASING
CONFIRMED = grants.GrantState.CONFIRMED
BOUND = builders.make_pod(
    "web", cores=4, node="w1", phase="Running", grant={"node": "w1", "containers": {"app": "4-7"}}
)


def _plan(pod: dict[str, Any] | None, grant: grants.Grant, node: Any = None, **status: Any) -> plans.Plan:
    members = [builders.make_neuron_node("w1", [grant], **status)]
    return snapshots.plan([pod] if pod else [], None if node is None else node, members)


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        pytest.param(None, "Releasing", id="gone"),
        pytest.param(BOUND | {"status": {"phase": "Succeeded"}}, "Releasing", id="succeeded"),
        pytest.param(BOUND | {"status": {"phase": "Failed"}}, "Releasing", id="failed"),
        pytest.param(builders.make_pod("web", uid="another", cores=4, node="w1"), "Releasing", id="another UID"),
        pytest.param(builders.make_pod("web", cores=4, node="w2"), "Releasing", id="bound to another node"),
    ],
)
def test_grant_is_released_when_its_pod_is_over(pod: dict[str, Any] | None, state: str) -> None:
    plan = _plan(pod, domain.grant("4-7", state=CONFIRMED))
    assert snapshots.written(plan) == {"web/app": f"4-7 {state}"}
    assert plan.ledgers[0].why


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(BOUND, id="running"),
        pytest.param(builders.make_pod("web", cores=4, node="w1", deleted=True), id="terminating: it may still run"),
    ],
)
def test_grant_stays_while_its_pod_may_run(pod: dict[str, Any]) -> None:
    assert _plan(pod, domain.grant("4-7", state=CONFIRMED)).ledgers == ()


def test_pinned_pod_keeps_only_the_grant_of_its_own_node() -> None:
    pod = builders.make_pod("web", cores=4, scheduler="volcano", selector={"kubernetes.io/hostname": "host-2"})
    plan = snapshots.plan(
        [pod],
        [builders.make_node("w1"), builders.make_node("w2", hostname="host-2")],
        [builders.make_neuron_node(name, [domain.grant(since=snapshots.ago(9))]) for name in ("w1", "w2")],
    )
    assert snapshots.written(plan, "w1") == {"web/app": "4-7 Releasing"}
    assert snapshots.written(plan, "w2") is None


@pytest.mark.parametrize("state", [grants.GrantState.GRANTED, CONFIRMED])
def test_grant_of_a_pod_that_our_cache_lacks_stays_and_the_pod_is_asked_for(state: grants.GrantState) -> None:
    """The watch of pods may be behind that of ledgers, by any time: a running pod would lose its cores."""
    member = builders.make_neuron_node("w1", [domain.grant("4-7", state=state, since=snapshots.ago(3600))])
    plan = snapshots.plan([], None, [member], unknown=["uid-web"])
    assert plan.ledgers == ()
    assert plan.inquiries == (plans.Inquiry("uid-web", "default", "web"),)


def test_cores_are_free_when_the_node_says_that_no_process_is_left() -> None:
    plan = _plan(None, domain.grant(state=RELEASING), released=["uid-web"])
    assert snapshots.written(plan) == {}


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"released": []}, id="no proof"),
        pytest.param({"released": ["uid-other"]}, id="proof for another pod"),
        pytest.param({"registered": False}, id="plugin lost: that proves nothing"),
    ],
)
def test_cores_wait_for_the_proof(status: dict[str, Any]) -> None:
    assert _plan(None, domain.grant(state=RELEASING), **status).ledgers == ()


def test_proof_counts_only_after_the_release_was_stored() -> None:
    """The API server refuses to drop a Confirmed grant, and an old proof may be about an earlier grant."""
    plan = _plan(None, domain.grant(state=CONFIRMED), released=["uid-web"])
    assert snapshots.written(plan) == {"web/app": "4-7 Releasing"}


@pytest.mark.parametrize(
    ("released", "left"),
    [
        pytest.param([], None, id="no proof: membership gives the whole ledger up"),
        pytest.param(["uid-web"], {}, id="proof from before it went"),
    ],
)
def test_tombstones_of_a_gone_node_wait_for_proof_like_all_others(
    released: list[str], left: dict[str, str] | None
) -> None:
    """One by one they could be forgotten while the next Node of that name still shows the old one's report."""
    members = [builders.make_neuron_node("w1", [domain.grant(state=RELEASING)], released=released)]
    plan = snapshots.plan([], [], members, pools.Policy(quarantine_seconds=0))
    assert snapshots.written(plan) == left


def test_grant_on_a_gone_node_is_released_with_its_pod() -> None:
    plan = snapshots.plan([], [], [builders.make_neuron_node("w1", [domain.grant(state=CONFIRMED)])])
    assert snapshots.state_of(plan, "web") is RELEASING


def test_ledger_counts_for_the_next_node_of_its_name() -> None:
    """A kubelet that registers anew has a new Node and the same processes."""
    node = builders.make_node(uid="uid-registered-anew")
    members = [builders.make_neuron_node("w1", [domain.grant(state=CONFIRMED)], held=[builders.held("4-7")])]
    assert snapshots.plan([BOUND], [node], members).ledgers == ()
    assert snapshots.written(snapshots.plan([BOUND, builders.make_pod("next", cores=4)], [node], members)) == {
        "web/app": "4-7 Confirmed",
        "next/app": "0-3 Granted",
    }


@pytest.mark.parametrize(
    ("held", "state"),
    [
        ([builders.held("4-7", uid=builders.STATIC_UID)], None),
        ([builders.held("4-7", uid=builders.STATIC_UID, processes=False)], "4-7 Releasing"),
        ([], "4-7 Releasing"),
    ],
    ids=["it runs on", "it is over", "the node does not know it"],
)
def test_static_pod_keeps_its_cores_without_a_mirror_while_it_runs(held: list[Any], state: str | None) -> None:
    """Whoever deletes a mirror ends nothing: kubelet makes another."""
    grant = domain.grant("4-7", pod_uid=builders.STATIC_UID, state=CONFIRMED)
    plan = _plan(None, grant, held=held)
    assert snapshots.written(plan) == (None if state is None else {"web/app": state})
