from typing import Any

import pytest

from kits.manifests import builders, domain, snapshots
from neuronspan import grants, names
from neuronspan_operator.planning import plans

CONFIRMED = grants.GrantState.CONFIRMED
RELEASING = grants.GrantState.RELEASING


def _bound(name: str, cores: int = 4, **fields: Any) -> dict[str, Any]:
    return builders.make_pod(name, cores=cores, **({"node": "w1", "phase": "Running"} | fields))


def _plan(pods: list[Any], entries: list[grants.Grant], held: list[Any], **status: Any) -> plans.Plan:
    return snapshots.plan(pods, None, [builders.make_neuron_node("w1", entries, held=held, **status)])


def _drift(plan: plans.Plan) -> list[str]:
    return [each.kind for each in plan.drift]


# --- confirmed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["uid-web", ""], ids=["with UID", "without UID"])
def test_grant_is_confirmed_when_the_node_holds_its_cores(uid: str) -> None:
    plan = _plan([_bound("web")], [domain.grant("4-7")], [builders.held("4-7", uid=uid)])
    assert snapshots.written(plan) == {"web/app": "4-7 Confirmed"}
    assert plan.drift == ()


def test_chain_is_confirmed_by_an_init_container_that_holds_a_part_of_it() -> None:
    pod = _bound("web", containers=[builders.container(cores=5)], init_containers=[builders.container("i", cores=2)])
    grant = domain.grant("8-12", init_containers=("i",))
    plan = _plan([pod], [grant], [builders.held("8-9", container="i")])
    assert snapshots.written(plan) == {"web/app": "8-12 Confirmed"}


def test_grant_of_a_pod_that_was_not_seen_is_not_confirmed() -> None:
    member = builders.make_neuron_node(entries=[domain.grant("4-7")], held=[builders.held("4-7")])
    plan = snapshots.plan([], None, [member], unknown=["uid-web"])
    assert plan.ledgers == ()


def test_holder_that_our_cache_lacks_is_asked_for_and_not_adopted_as_over() -> None:
    """An unmanaged pod runs, and our watch of pods is behind: its cores are no tombstone, and nobody gets them."""
    member = builders.make_neuron_node(held=[builders.held("0-3", "stray")])
    plan = snapshots.plan([builders.make_pod("web", cores=4)], None, [member], unknown=["uid-stray"])
    assert plan.inquiries == (plans.Inquiry("uid-stray", "default", "stray"),)
    assert snapshots.written(plan) == {"web/app": "4-7 Granted"}


@pytest.mark.parametrize("first", ["4-7", "8-11"])
def test_grant_stays_when_one_of_two_reports_agrees_with_it(first: str) -> None:
    """A plugin that reports a container twice must not make the ledger go back and forth."""
    entries = [domain.grant(first, state=CONFIRMED)]
    plan = _plan([_bound("web")], entries, [builders.held("4-7"), builders.held("8-11")])
    assert plan.ledgers == ()
    assert _drift(plan) == ["ContestedCores"]


# --- adopted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["uid-web", ""], ids=["with UID", "without UID"])
def test_running_pod_without_a_grant_is_adopted(uid: str) -> None:
    plan = _plan([_bound("web")], [], [builders.held("4-7", uid=uid)])
    assert snapshots.written(plan) == {"web/app": "4-7 Confirmed"}
    assert _drift(plan) == ["AdoptedHolder"]


def test_init_containers_are_adopted_together_with_who_takes_over() -> None:
    pod = _bound("web", containers=[builders.container(cores=4)], init_containers=[builders.container("i", cores=4)])
    plan = _plan([pod], [], [builders.held("4-7", container="i"), builders.held("4-7")])
    (entry,) = plan.ledgers[0].ledger.grants
    assert (entry.container, entry.init_containers, str(entry.span)) == ("app", ("i",), "4-7")


@pytest.mark.parametrize(("cores", "kept"), [("0-7", "3,4,1"), ("0-3", "")], ids=["as asked", "other cores"])
def test_core_groups_are_adopted_with_the_cores_that_they_divide(cores: str, kept: str) -> None:
    notes = {names.GROUP_SIZES_ANNOTATION: "3,4,1", names.ENV_ANNOTATION: "count"}
    plan = _plan([_bound("web", 8, annotations=notes)], [], [builders.held(cores)])
    (entry,) = plan.ledgers[0].ledger.grants
    assert (str(entry.span), entry.group_sizes, entry.env) == (cores, kept, grants.EnvMode.COUNT)


def test_holder_whose_annotations_contradict_each_other_is_adopted_without_core_groups() -> None:
    notes = {names.CORES_ANNOTATION: "4", names.GROUP_SIZES_ANNOTATION: "3"}
    plan = _plan([_bound("web", 4, annotations=notes)], [], [builders.held("0-3")])
    assert snapshots.written(plan) == {"web/app": "0-3 Confirmed"}
    assert _drift(plan) == ["AdoptedHolder"]
    (entry,) = plan.ledgers[0].ledger.grants
    assert not entry.group_sizes


def test_whole_devices_are_adopted_as_devices() -> None:
    held = builders.held("0-3", resource=names.DEVICE_RESOURCE)
    plan = _plan([_bound("web", 0, devices=2)], [], [held])
    (entry,) = plan.ledgers[0].ledger.grants
    assert (str(entry.span), entry.resource) == ("0-3", names.DEVICE_RESOURCE)


def test_move_has_one_sentence_per_grant() -> None:
    entries = [domain.grant("4-7", "a"), domain.grant("8-11", "b")]
    plan = _plan([_bound("a"), _bound("b")], entries, [builders.held("8-11", "a"), builders.held("4-7", "b")])
    moved = [why for why in plan.ledgers[0].why if "follows" in why]
    assert moved == [
        "default/a[app] 4-7 holds cores 8-11 on w1: the ledger follows",
        "default/b[app] 8-11 holds cores 4-7 on w1: the ledger follows",
    ]


def test_cores_of_a_pod_that_is_gone_become_a_tombstone() -> None:
    plan = _plan([], [], [builders.held("4-7")])
    assert snapshots.written(plan) == {"web/app": "4-7 Releasing"}


def test_cores_with_proof_of_release_are_not_adopted_again() -> None:
    assert _plan([], [], [builders.held("4-7")], released=["uid-web"]).ledgers == ()


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(builders.held("4-7", uid=""), id="nobody knows whose they are"),
        pytest.param(builders.held("30-35"), id="out of range"),
    ],
)
def test_held_cores_that_cannot_be_adopted_are_not_granted_either(held: dict[str, Any]) -> None:
    plan = _plan([builders.make_pod("new", cores=31)], [], [held])
    assert plan.ledgers == ()
    assert plan.waiting["uid-new"].reason == "NoRoom"
    assert "ContestedCores" in _drift(plan)


def test_new_pod_of_that_name_does_not_inherit_what_the_old_one_still_holds() -> None:
    old = domain.grant("4-7", "web", pod_uid="uid-old", state=RELEASING)
    plan = _plan([_bound("web")], [old], [builders.held("4-7", uid="")])
    assert plan.ledgers == ()


def test_name_alone_is_not_enough_for_a_pod_on_another_node() -> None:
    plan = _plan([_bound("web", node="w2")], [], [builders.held("4-7", uid="")])
    assert plan.ledgers == ()
    assert _drift(plan) == ["ContestedCores"]


# --- moved -----------------------------------------------------------------------------------------------------------


def test_exchanged_cores_are_exchanged_in_the_ledger() -> None:
    plan = _plan(
        [_bound("a"), _bound("b")],
        [domain.grant("0-3", "a"), domain.grant("4-7", "b")],
        [builders.held("4-7", "a"), builders.held("0-3", "b")],
    )
    assert snapshots.written(plan) == {"b/app": "0-3 Confirmed", "a/app": "4-7 Confirmed"}
    assert _drift(plan) == ["MovedGrant", "MovedGrant"]


def test_three_pods_may_have_changed_places() -> None:
    plan = _plan(
        [_bound("a"), _bound("b"), _bound("c")],
        [domain.grant("0-3", "a"), domain.grant("4-7", "b"), domain.grant("8-11", "c")],
        [builders.held("4-7", "a"), builders.held("8-11", "b"), builders.held("0-3", "c")],
    )
    assert snapshots.written(plan) == {"c/app": "0-3 Confirmed", "a/app": "4-7 Confirmed", "b/app": "8-11 Confirmed"}


def test_pod_that_has_not_started_gets_the_cores_of_who_took_its_own() -> None:
    plan = _plan(
        [_bound("a"), _bound("b")],
        [domain.grant("0-3", "a"), domain.grant("4-7", "b")],
        [builders.held("4-7", "a")],
    )
    assert snapshots.written(plan) == {"b/app": "0-3 Granted", "a/app": "4-7 Confirmed"}


def test_ledger_follows_to_free_cores() -> None:
    plan = _plan([_bound("a")], [domain.grant("0-3", "a")], [builders.held("8-11", "a")])
    assert snapshots.written(plan) == {"a/app": "8-11 Confirmed"}


def test_one_obstacle_does_not_keep_others_from_moving() -> None:
    plan = _plan(
        [_bound("a"), _bound("b"), _bound("c", 2)],
        [domain.grant("0-3", "a"), domain.grant("4-7", "b"), domain.grant("20-21", "c", state=CONFIRMED)],
        [builders.held("8-11", "a"), builders.held("20-23", "b"), builders.held("20-21", "c")],
    )
    assert snapshots.written(plan) == {
        "b/app": "4-7 Granted",
        "a/app": "8-11 Confirmed",
        "c/app": "20-21 Confirmed",
    }
    assert "ContestedCores" in _drift(plan)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(builders.held("8-9", "a"), id="another number of cores"),
        pytest.param(builders.held("8-11", "a", resource=names.DEVICE_RESOURCE), id="another resource"),
    ],
)
def test_ledger_does_not_follow_what_was_never_asked_for(held: dict[str, Any]) -> None:
    plan = _plan([_bound("a"), builders.make_pod("new", cores=24)], [domain.grant("0-3", "a")], [held])
    assert plan.ledgers == ()
    assert _drift(plan) == ["ContestedCores"]


# --- contested -------------------------------------------------------------------------------------------------------


def test_gated_pod_whose_cores_are_taken_is_fenced_and_planned_again() -> None:
    intruder, victim = _bound("intruder"), builders.make_pod("victim", cores=4)
    grant = domain.grant("4-7", "victim")
    plan = _plan([intruder, victim], [grant], [builders.held("4-7", "intruder")])
    assert plan.ledgers == ()
    assert plan.bindings == ()
    (patch,) = plan.patches
    assert patch.pod.name == "victim"
    assert plan.waiting["uid-victim"].reason == "Revoked"


@pytest.mark.parametrize("owner", ["rs", ""], ids=["with controller", "bare"])
def test_bound_pod_whose_cores_are_taken_is_sent_back(owner: str) -> None:
    intruder, victim = _bound("intruder"), _bound("victim", owner=owner)
    plan = _plan([intruder, victim], [domain.grant("4-7", "victim")], [builders.held("4-7", "intruder")])
    assert [each.pod.name for each in plan.evictions] == (["victim"] if owner else [])
    assert [each.reason for each in plan.notices if each.name == "victim" and each.reason == "Limbo"] == (
        [] if owner else ["Limbo"]
    )
    assert plan.ledgers == ()


def test_room_is_left_for_a_bound_pod_that_the_plugin_will_serve_any_moment() -> None:
    plan = _plan([_bound("unmanaged", 8), builders.make_pod("new", cores=4)], [], [])
    assert snapshots.written(plan) == {"new/app": "8-11 Granted"}


def test_unreadable_ledger_is_drift_and_stops_nobody_else() -> None:
    broken = builders.make_neuron_node("w1")
    broken["spec"]["grants"] = [{"podUID": "x"}]
    plan = snapshots.plan(
        [builders.make_pod("new", cores=4)],
        [builders.make_node("w1"), builders.make_node("w2")],
        [broken, builders.make_neuron_node("w2")],
    )
    assert _drift(plan) == ["UnreadableLedger"]
    assert snapshots.let_go(plan) == {"new": "w2 app=0-3"}


# --- static pods -----------------------------------------------------------------------------------------------------

STATIC = builders.STATIC_UID


def test_static_pod_is_adopted_under_the_uid_that_kubelet_calls_it_by() -> None:
    plan = _plan([builders.make_mirror(cores=4, phase="Running")], [], [builders.held("4-7", uid=STATIC)])
    assert snapshots.written(plan) == {"web/app": "4-7 Confirmed"}
    (grant,) = plan.ledgers[0].ledger.grants
    assert grant.pod_uid == STATIC


def test_static_pod_whose_mirror_is_not_made_yet_is_no_tombstone_and_nobody_gets_its_cores() -> None:
    plan = _plan([builders.make_pod("next", cores=32)], [], [builders.held("4-7", uid=STATIC)])
    assert plan.ledgers == ()
    assert plan.departures == ()


def test_static_pod_that_is_over_becomes_a_tombstone() -> None:
    plan = _plan([], [], [builders.held("4-7", uid=STATIC, processes=False)])
    assert snapshots.written(plan) == {"web/app": "4-7 Releasing"}
