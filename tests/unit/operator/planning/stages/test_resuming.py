"""What happens to unplaced pods whose grants are stored: an operator stopped between the ledger and the pod."""

from typing import Any

import jsonpatch
import pytest

from kits.manifests import builders, clusters, domain, snapshots
from neuronspan import grants, names
from neuronspan_operator.objects import pod_changes, pods
from neuronspan_operator.planning import plans

WAITING = builders.make_pod("web", cores=4)
GUEST = builders.make_pod("web", cores=4, **builders.GUEST)
FENCED = builders.make_pod("web", cores=4, fence=domain.SINCE)
GRANT = domain.grant("4-7")


def _plan(pod: dict[str, Any] = WAITING, grant: grants.Grant = GRANT, node: Any = None, **status: Any) -> plans.Plan:
    nodes = [builders.make_node() if node is None else node]
    return snapshots.plan([pod], nodes, [builders.make_neuron_node("w1", [grant], **status)])


def test_stored_grant_is_carried_out_without_another_write() -> None:
    plan = _plan()
    assert snapshots.let_go(plan) == {"web": "w1 app=4-7"}
    assert plan.ledgers == ()
    assert plan.waiting == {}


def test_pod_is_bound_to_the_node_as_it_was_planned_on() -> None:
    (bind,) = _plan(node=builders.make_node("w1", hostname="ip-10-0-0-1")).bindings
    binding = pod_changes.binding(bind.pod, bind.node, bind.spans)
    assert binding["target"] == {"apiVersion": "v1", "kind": "Node", "name": "w1"}
    assert binding["metadata"] == {
        "name": "web",
        "namespace": "default",
        "uid": "uid-web",
        "resourceVersion": "1",
        "annotations": {"neuronspan.dev/grant": '{"node":"w1","containers":{"app":"4-7"}}'},
    }


def test_guest_is_pinned_by_the_hostname_label_and_told_the_nodes_name() -> None:
    (ungate,) = _plan(GUEST, node=builders.make_node("w1", hostname="ip-10-0-0-1")).ungates
    after = pods.read(jsonpatch.apply_patch(GUEST, ungate.patch))
    assert after.constraints.node_selector["kubernetes.io/hostname"] == "ip-10-0-0-1"
    assert (after.granted_node, after.gated) == ("w1", False)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"node": builders.make_node(cordoned=True)}, "were unschedulable", id="cordoned"),
        pytest.param({"node": builders.make_node(ready=False)}, "not Ready", id="not ready"),
        pytest.param({"node": builders.make_node(cores=0)}, "device plugin", id="plugin lost"),
        pytest.param({"node": builders.make_node("other")}, "gone", id="node gone"),
        pytest.param({"registered": False}, "not registered", id="plugin not registered"),
        pytest.param({"advertised": False}, "hardware", id="plugin serves other hardware"),
        pytest.param({"unhealthy": {5: "ECC"}}, "some of the cores are unhealthy: 5 (ECC)", id="unhealthy core"),
        pytest.param({"pod": builders.make_pod(cores=5)}, "not what the pod asks for", id="another size"),
        pytest.param(
            {"pod": builders.make_pod(cores=4, annotations={"neuronspan.dev/env": "count"})},
            "not what the pod asks for",
            id="another env",
        ),
        pytest.param(
            {"pod": builders.make_pod(cores=4, annotations={"neuronspan.dev/cores": "four"})},
            "not what the pod asks for",
            id="bad request by now",
        ),
        pytest.param(
            {"pod": builders.make_pod(cores=4, selector={"zone": "b"})},
            "node affinity/selector",
            id="selector does not match",
        ),
    ],
)
def test_unusable_grant_is_fenced_first(change: dict[str, Any], why: str) -> None:
    plan = _plan(**change)
    assert plan.bindings == ()
    assert plan.ledgers == ()
    (patch,) = plan.patches
    assert patch.patch["metadata"] == {"uid": "uid-web", "resourceVersion": "1"}
    assert pods.read({**WAITING, "status": patch.patch["status"]}).fenced_until == "2026-01-31T09:00:00.000000Z"
    assert plan.waiting["uid-web"].reason == "Revoked"
    assert why in plan.waiting["uid-web"].message


def test_fenced_grant_is_released_even_when_it_could_be_used_again() -> None:
    plan = _plan(FENCED)
    assert snapshots.written(plan) == {"web/app": "4-7 Releasing"}
    assert plan.bindings == ()
    assert plan.patches == ()


def test_released_grant_keeps_nobody_away() -> None:
    alone = clusters.affinity(far=[clusters.term(names.HOSTNAME_LABEL, {names.MANAGED_LABEL: names.MANAGED_VALUE})])
    other = builders.make_pod("other", cores=4, affinity=alone)
    plan = snapshots.plan([FENCED, other], None, [builders.make_neuron_node("w1", [GRANT])])
    assert snapshots.let_go(plan) == {"other": "w1 app=0-3"}


def test_pod_whose_grant_is_released_is_near_nobody() -> None:
    fenced = builders.make_pod("web", cores=4, fence=domain.SINCE, labels={"app": "web"})
    near = clusters.affinity(near=[clusters.term(names.HOSTNAME_LABEL, {"app": "web"})])
    other = builders.make_pod("web-2", cores=4, affinity=near)
    grant = domain.grant("8-11", "web-2")
    plan = snapshots.plan([fenced, other], None, [builders.make_neuron_node("w1", [GRANT, grant])])
    assert plan.bindings == ()
    assert plan.waiting["uid-web-2"].reason == "Revoked"


def test_fence_forbids_the_latest_of_the_grants_it_takes_back() -> None:
    plan = snapshots.plan(
        [WAITING],
        [builders.make_node(name, cordoned=True) for name in ("w1", "w2")],
        [
            builders.make_neuron_node("w1", [GRANT]),
            builders.make_neuron_node("w2", [domain.grant("4-7", since=domain.LATER)]),
        ],
    )
    (patch,) = plan.patches
    assert pods.read({**WAITING, "status": patch.patch["status"]}).fenced_until == "2026-01-31T09:00:05.000000Z"


def test_fence_of_an_earlier_grant_does_not_concern_a_new_one() -> None:
    plan = _plan(FENCED, domain.grant("4-7", since=domain.LATER))
    assert snapshots.let_go(plan) == {"web": "w1 app=4-7"}


@pytest.mark.parametrize(
    ("fence", "since"),
    [("2026-01-31T12:00:00.000000Z", "2026-01-31T12:00:00.000001Z"), (snapshots.ago(0), "2026-01-31T10:00:00.000001Z")],
    ids=["clock is behind", "the same moment"],
)
def test_new_grant_is_later_than_the_fence(fence: str, since: str) -> None:
    (write,) = snapshots.plan([builders.make_pod(cores=4, fence=fence)]).ledgers
    (grant,) = write.ledger.grants
    assert grant.since == since


@pytest.mark.parametrize("fence", ["soon", "9999-12-31T23:59:59.999999Z", "2026-02-02T00:00:00Z"])
def test_fence_that_no_operator_can_have_written_forbids_nothing(fence: str) -> None:
    pod = builders.make_pod(cores=4, fence=fence)
    assert snapshots.let_go(_plan(pod)) == {"web": "w1 app=4-7"}
    assert snapshots.let_go(snapshots.plan([pod])) == {"web": "w1 app=0-3"}


def test_revoked_pod_gets_other_cores_at_once_but_not_on_the_node_that_still_winds_up() -> None:
    released = domain.grant("4-7", state=grants.GrantState.RELEASING)
    for hosts, wanted in ((["w1"], {}), (["w1", "w2"], {"web": "w2 app=0-3"})):
        plan = snapshots.plan(
            [FENCED],
            [builders.make_node(name) for name in hosts],
            [builders.make_neuron_node(name, [released] if name == "w1" else []) for name in hosts],
        )
        assert snapshots.let_go(plan) == wanted
    assert (
        "wound up"
        in snapshots.plan([WAITING], None, [builders.make_neuron_node("w1", [released])]).waiting["uid-web"].message
    )


def test_old_proof_of_release_keeps_the_pod_off_that_node() -> None:
    """Else the proof about the first grant would free the cores of the second under its processes."""
    plan = snapshots.plan([WAITING], None, [builders.make_neuron_node("w1", released=["uid-web"])])
    assert plan.ledgers == ()
    assert plan.waiting["uid-web"].reason == "NoRoom"


def test_double_grant_on_two_nodes_is_carried_out_once() -> None:
    """Two operators chose different nodes at the same time."""
    late = domain.grant("0-3", since=domain.LATER)
    plan = snapshots.plan(
        [WAITING],
        [builders.make_node("w1"), builders.make_node("w2")],
        [builders.make_neuron_node("w1", [late]), builders.make_neuron_node("w2", [GRANT])],
    )
    assert snapshots.let_go(plan) == {"web": "w2 app=4-7"}
    assert len(plan.bindings) == 1
    assert (plan.ledgers, plan.patches) == ((), ())


def test_double_grant_falls_back_to_the_node_that_can_be_used() -> None:
    plan = snapshots.plan(
        [WAITING],
        [builders.make_node("w1", cordoned=True), builders.make_node("w2")],
        [builders.make_neuron_node(name, [GRANT]) for name in ("w1", "w2")],
    )
    assert snapshots.let_go(plan) == {"web": "w2 app=4-7"}
    assert (plan.ledgers, plan.patches) == ((), ())


def test_grants_of_all_containers_are_needed() -> None:
    pod = builders.make_pod("web", containers=[builders.container("app", cores=4), builders.container("b", cores=1)])
    plan = _plan(pod)
    assert plan.bindings == ()
    assert plan.waiting["uid-web"].reason == "Revoked"


@pytest.mark.parametrize(
    "pod",
    [builders.make_pod(cores=4, deleted=True), builders.make_pod(cores=4, phase="Failed")],
    ids=["deleted", "failed"],
)
def test_pod_that_is_over_is_not_let_go(pod: dict[str, Any]) -> None:
    assert _plan(pod).bindings == ()


def test_revoked_pod_is_told_of_a_few_unhealthy_runs_so_that_the_rest_fits_into_the_event() -> None:
    grant = domain.grant("4-15")
    plan = _plan(builders.make_pod("web", cores=12), grant, unhealthy=dict.fromkeys((4, 6, 8, 10, 12), "x" * 256))
    (waiting,) = plan.waiting.values()
    assert waiting.reason == "Revoked"
    assert waiting.message.count("x" * 256) == 3
    assert " and 2 more" in waiting.message
    assert len(waiting.message) <= 1024
