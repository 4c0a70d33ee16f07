"""Pod groups: all n pods get cores, or none does."""

from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans

NODES = [builders.make_node("w1"), builders.make_node("w2")]


def _member(name: str, cores: int = 20, size: int = 2, group: str = "g", **fields: Any) -> dict[str, Any]:
    notes = {names.POD_GROUP_ANNOTATION: group, names.POD_GROUP_SIZE_ANNOTATION: str(size)}
    return builders.make_pod(name, cores=cores, annotations=notes, **fields)


def _members(**entries: list[grants.Grant]) -> list[dict[str, Any]]:
    return [builders.make_neuron_node(name, entries.get(name, [])) for name in ("w1", "w2")]


def _plan(pod_list: list[dict[str, Any]], **entries: list[grants.Grant]) -> plans.Plan:
    return snapshots.plan(pod_list, NODES, _members(**entries))


def test_grants_of_a_group_are_written_before_anybody_is_bound() -> None:
    plan = _plan([_member("a"), _member("b")])
    assert (snapshots.written(plan, "w1"), snapshots.written(plan, "w2")) == (
        {"a/app": "0-19 Granted"},
        {"b/app": "0-19 Granted"},
    )
    assert plan.bindings == ()
    assert {each.reason for each in plan.waiting.values()} == {"PodGroup"}


def test_group_starts_when_all_its_grants_are_stored() -> None:
    plan = _plan([_member("a"), _member("b")], w1=[domain.grant("0-19", "a")], w2=[domain.grant("0-19", "b")])
    assert snapshots.let_go(plan) == {"a": "w1 app=0-19", "b": "w2 app=0-19"}
    assert plan.ledgers == ()


def test_group_waits_for_its_missing_members() -> None:
    plan = _plan([_member("a", size=3), _member("b", size=3)])
    assert plan.ledgers == ()
    message = plan.waiting["uid-a"].message
    assert "2 of 3 pods exist" in message
    assert "create the missing pods" in message


def test_group_whose_members_are_there_is_not_told_to_create_them() -> None:
    plan = _plan([_member("a"), _member("b", gates=("others.example/gate",))])
    assert plan.ledgers == ()
    assert plan.waiting["uid-b"].reason == "OtherGates"
    message = plan.waiting["uid-a"].message
    assert "2 of 2 pods exist" in message
    assert "their own conditions and Events say why" in message


def test_group_that_does_not_fit_as_a_whole_gets_nothing() -> None:
    plan = _plan([_member("a", size=3), _member("b", size=3), _member("c", size=3)])
    assert plan.ledgers == ()
    assert {uid: each.reason for uid, each in plan.waiting.items()} == dict.fromkeys(
        ("uid-a", "uid-b", "uid-c"), "NoRoom"
    )
    assert "All of a group must fit at once" in plan.waiting["uid-a"].message


def test_cores_of_a_group_that_does_not_fit_are_left_to_others() -> None:
    pod_list = [_member(name, size=3, priority=5) for name in "abc"]
    plan = _plan([*pod_list, builders.make_pod("single", cores=32)])
    assert snapshots.let_go(plan) == {"single": "w1 app=0-31"}


def test_pods_like_those_of_a_group_that_does_not_fit_get_what_it_leaves() -> None:
    """What was looked up while the group's cores were taken is forgotten together with them."""
    pod_list = [_member(name, size=3, priority=5) for name in "abc"]
    plan = _plan([*pod_list, *(builders.make_pod(name, cores=20) for name in ("one", "two", "three"))])
    assert snapshots.let_go(plan) == {"one": "w1 app=0-19", "three": "w2 app=0-19"}
    assert plan.waiting["uid-two"].reason == "NoRoom"


def test_interrupted_group_is_completed() -> None:
    """The operator stopped between the ledgers of two nodes."""
    plan = _plan([_member("a"), _member("b")], w1=[domain.grant("0-19", "a")])
    assert snapshots.written(plan, "w1") is None
    assert snapshots.written(plan, "w2") == {"b/app": "0-19 Granted"}
    assert plan.bindings == ()


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([_member("b", cores=32)], id="the others do not fit any more"),
        pytest.param([], id="the others are gone"),
    ],
)
def test_interrupted_group_that_cannot_be_completed_gives_its_cores_back(others: list[dict[str, Any]]) -> None:
    taken = domain.grant("0-3", "old", state=grants.GrantState.RELEASING)
    plan = _plan([_member("a"), *others], w1=[domain.grant("0-19", "a")], w2=[taken])
    (patch,) = plan.patches
    assert pods.read(builders.patched(_member("a"), patch.patch)).fenced_until == "2026-01-31T09:00:00.000000Z"
    assert plan.bindings == ()
    assert plan.waiting["uid-a"].reason == "Revoked"


def test_member_that_comes_back_is_served_alone() -> None:
    """A Job's retry while the other members go on."""
    running = _member("a", node="w1", phase="Running")
    plan = _plan([running, _member("b")], w1=[domain.grant("0-19", "a", state=grants.GrantState.CONFIRMED)])
    assert snapshots.written(plan, "w2") == {"b/app": "0-19 Granted"}
    assert snapshots.let_go(plan) == {"b": "w2 app=0-19"}


def test_members_beyond_the_size_are_served_once_the_group_is() -> None:
    entries = {"w1": [domain.grant("0-19", "a")], "w2": [domain.grant("0-19", "b")]}
    plan = _plan([_member("a"), _member("b"), _member("c", cores=4)], **entries)
    assert snapshots.let_go(plan) == {"a": "w1 app=0-19", "b": "w2 app=0-19", "c": "w1 app=20-23"}


def test_group_starts_with_as_many_members_as_its_size_says() -> None:
    """A third of these would not fit, and nobody waits for it."""
    plan = _plan([_member("a"), _member("b"), _member("c")])
    assert (snapshots.written(plan, "w1"), snapshots.written(plan, "w2")) == (
        {"a/app": "0-19 Granted"},
        {"b/app": "0-19 Granted"},
    )


def test_member_that_came_back_goes_on_while_another_one_does_not_fit() -> None:
    """The group was served once: those who return to it are served one by one."""
    told = {"node": "w1", "containers": {"app": "0-19"}}
    running = _member("a", size=3, node="w1", phase="Running", grant=told)
    entries = {
        "w1": [domain.grant("0-19", "a", state=grants.GrantState.CONFIRMED)],
        "w2": [domain.grant("0-19", "b")],
    }
    plan = _plan([running, _member("b", size=3), _member("c", size=3)], **entries)
    assert (plan.patches, plan.ledgers) == ((), ())
    assert snapshots.let_go(plan) == {"b": "w2 app=0-19"}
    assert plan.waiting["uid-c"].reason == "NoRoom"


def _of_job(name: str, uid: str = "", **fields: Any) -> dict[str, Any]:
    grant = {"node": "w1", "containers": {"app": "0-3"}} if "node" in fields else None
    pod = _member(name, cores=4, size=3, owner="job", kind="Job", grant=grant, **fields)
    if uid:
        pod["metadata"]["ownerReferences"][0]["uid"] = uid
    return pod


def test_retry_is_served_alone_when_one_member_has_succeeded_already() -> None:
    """An Indexed Job of three: index 0 has succeeded, 1 runs, 2 has failed once; there are never three pods again."""
    done = _of_job("done", node="w1", phase="Succeeded")
    failed = _of_job("failed", node="w1", phase="Failed")
    running = _of_job("running", node="w1", phase="Running")
    entries = [domain.grant("0-3", "running", state=grants.GrantState.CONFIRMED)]
    plan = _plan([done, failed, running, _of_job("retry")], w1=entries)
    assert snapshots.let_go(plan) == {"retry": "w1 app=4-7"}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_retry_is_served_alone_when_all_others_have_ended(phase: str) -> None:
    plan = _plan([_of_job(name, node="w1", phase=phase) for name in ("one", "two", "three")] + [_of_job("retry")])
    assert snapshots.let_go(plan) == {"retry": "w1 app=0-3"}


def test_ended_members_of_another_job_do_not_make_a_new_group_served() -> None:
    """A CronJob uses the name of its group again: its next Job is served as a whole again."""
    earlier = [_of_job(name, node="w1", phase="Succeeded", uid="uid-earlier") for name in ("one", "two", "three")]
    plan = _plan([*earlier, _of_job("next")])
    assert (plan.ledgers, plan.bindings) == ((), ())
    assert "1 of 3 pods exist" in plan.waiting["uid-next"].message


def test_ended_members_that_never_had_cores_do_not_make_their_group_served() -> None:
    refused = _of_job("refused", phase="Failed")
    plan = _plan([refused, _of_job("next")])
    assert (plan.ledgers, plan.bindings) == ((), ())


def test_ended_members_that_got_to_a_node_without_a_grant_do_not_make_their_group_served() -> None:
    """They named the node themselves, and failed there."""
    by_name = _of_job("by-name", node="w1", phase="Failed")
    del by_name["metadata"]["annotations"][names.GRANT_ANNOTATION]
    plan = _plan([by_name, _of_job("next")])
    assert (plan.ledgers, plan.bindings) == ((), ())


def test_groups_of_two_namespaces_have_nothing_to_do_with_each_other() -> None:
    plan = _plan([_member("a"), _member("b", namespace="other")])
    assert plan.ledgers == ()
    assert "1 of 2 pods exist" in plan.waiting["uid-b"].message


def test_member_with_a_bad_request_keeps_the_group_waiting() -> None:
    bad = builders.make_pod(
        "b",
        annotations={
            names.POD_GROUP_ANNOTATION: "g",
            names.POD_GROUP_SIZE_ANNOTATION: "2",
            names.CORES_ANNOTATION: "four",
        },
    )
    plan = _plan([_member("a"), bad])
    assert plan.ledgers == ()
    assert (plan.waiting["uid-a"].reason, plan.waiting["uid-b"].reason) == ("PodGroup", "InvalidRequest")
