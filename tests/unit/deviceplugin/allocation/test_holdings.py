"""Who holds which cores: how a record is completed, and when it ends."""

import dataclasses
from collections.abc import Mapping

import pytest

from kits.manifests import domain
from neuronspan import grants, names
from neuronspan_deviceplugin.allocation import holdings

CORES = names.CORE_RESOURCE
NOW = 1000.0
EMPTY = domain.book(32)
RELEASING = grants.GrantState.RELEASING


def _holding(cores: str = "4-7", uid: str = "uid-web", **fields: object) -> holdings.Holding:
    holding = holdings.Holding(CORES, domain.span(cores), NOW, uid, container="app" if uid else "", certain=bool(uid))
    return dataclasses.replace(holding, **fields)  # type: ignore[arg-type]


def _placed(cores: str = "4-7", uid: str = "uid-web", container: str = "app", resource: str = CORES) -> holdings.Placed:
    return holdings.Placed(uid, container, resource, domain.span(cores))


def _alive(**states: bool | None) -> holdings.Alive:
    found: Mapping[str, bool | None] = {f"uid-{name}": state for name, state in states.items()}
    return found.get


def test_unknown_holder_is_named_by_kubelets_record() -> None:
    (found,) = holdings.reconciled((_holding(uid=""),), [_placed()], EMPTY, _alive(web=True), NOW)
    assert (found.pod_uid, found.container, found.certain, found.started) == ("uid-web", "app", True, True)


def test_expected_holder_is_believed_until_kubelets_record_names_another() -> None:
    expected = _holding(uid="uid-a", certain=False, namespace="default", pod="a", verified=True)
    (found,) = holdings.reconciled((expected,), [_placed(uid="uid-b")], EMPTY, _alive(b=True), NOW)
    assert (found.pod_uid, found.pod, found.verified) == ("uid-b", "", False)


def test_swapped_holders_are_both_recognised() -> None:
    expected = (_holding("0-3", "uid-a", certain=False), _holding("4-7", "uid-b", certain=False))
    placed = [_placed("4-7", "uid-a"), _placed("0-3", "uid-b")]
    found = holdings.reconciled(expected, placed, EMPTY, _alive(a=True, b=True), NOW)
    assert [(str(each.span), each.pod_uid) for each in found] == [("0-3", "uid-b"), ("4-7", "uid-a")]


def test_init_container_and_its_successor_are_two_holders_of_the_same_cores() -> None:
    placed = [_placed(container="init"), _placed()]
    found = holdings.reconciled((_holding(certain=False),), placed, EMPTY, _alive(web=True), NOW)
    assert {each.container for each in found} == {"app", "init"}


def test_container_that_kubelet_moved_is_where_kubelet_says_and_unverified() -> None:
    (found,) = holdings.reconciled((_holding(verified=True),), [_placed("8-11")], EMPTY, _alive(web=True), NOW)
    assert (str(found.span), found.verified) == ("8-11", False)


def test_name_comes_from_the_pods_grant() -> None:
    (found,) = holdings.reconciled((_holding(),), [_placed()], domain.book(32, [domain.grant()]), _alive(web=True), NOW)
    assert (found.namespace, found.pod) == ("default", "web")


def test_learnt_name_fills_only_a_missing_one() -> None:
    place = {(CORES, domain.span("4-7")): ("ns", "other", "app")}
    (found,) = holdings.named((_holding(namespace="default", pod="web"),), place)
    assert found.pod == "web"
    (found,) = holdings.named((_holding(),), place)
    assert (found.namespace, found.pod) == ("ns", "other")


GRANTED, GONE = domain.book(32, [domain.grant()]), domain.book(32, [domain.grant(state=RELEASING)])
LISTED = [_placed()]
ENDS = {
    "a process keeps it, whatever kubelet and ledger forgot": (_holding(), [], EMPTY, True, True),
    "a process keeps it while it is being released": (_holding(started=True), LISTED, GONE, True, True),
    "a grant keeps it between two sandboxes": (_holding(started=True), LISTED, GRANTED, False, True),
    "without process and grant it is over": (_holding(started=True), LISTED, EMPTY, False, False),
    "a pod being released without a process is over": (_holding(), LISTED, GONE, False, False),
    "a young one may not have its first process yet": (_holding(), LISTED, EMPTY, False, True),
    "an old one without a process is over": (_holding(since=NOW - 61), LISTED, EMPTY, False, False),
    "a record from before a reboot is not young": (_holding(since=NOW + 5000), LISTED, EMPTY, False, False),
    "unseen processes keep what kubelet lists": (_holding(started=True), LISTED, EMPTY, None, True),
    "unseen processes keep what the ledger lists": (_holding(started=True), [], GONE, None, True),
    "unseen processes do not keep what neither lists": (_holding(started=True), [], EMPTY, None, False),
    "an unknown ledger keeps what kubelet lists": (_holding(started=True), LISTED, None, False, True),
}


@pytest.mark.parametrize(("holding", "placed", "book", "alive", "kept"), ENDS.values(), ids=ENDS.keys())
def test_holding_ends_only_on_proof(
    holding: holdings.Holding, placed: list[holdings.Placed], book: object, alive: bool | None, kept: bool
) -> None:
    found = holdings.reconciled((holding,), placed, book, _alive(web=alive), NOW)  # type: ignore[arg-type]
    assert bool(found) is kept


@pytest.mark.parametrize(
    ("book", "alive", "taken"),
    [(EMPTY, False, False), (EMPTY, True, True), (EMPTY, None, True), (GRANTED, False, True), (GONE, False, False)],
    ids=["stale entry", "running pod", "unseen pod", "granted pod", "pod being released"],
)
def test_entry_that_only_kubelet_knows_is_taken_in_when_something_speaks_for_it(
    book: object, alive: bool | None, taken: bool
) -> None:
    found = holdings.reconciled((), LISTED, book, _alive(web=alive), NOW)  # type: ignore[arg-type]
    assert bool(found) is taken


def test_unreadable_record_of_kubelet_ends_nothing_that_lives() -> None:
    assert holdings.reconciled((_holding(),), None, EMPTY, _alive(web=True), NOW)


def test_new_devices_of_a_container_replace_its_old_ones() -> None:
    old, neighbour = _holding("0-1"), _holding("8-9", "uid-b")
    assert holdings.allocated((old, neighbour), _holding("4-7")) == (neighbour, _holding("4-7"))


def test_unidentified_holding_is_not_doubled_by_the_next_container_on_its_cores() -> None:
    assert holdings.allocated((_holding(uid=""),), _holding(uid="")) == (_holding(uid=""),)


def test_start_verifies_exactly_the_holder_that_started() -> None:
    other = _holding("4-7", "uid-b")
    found = holdings.verified((_holding(), other), CORES, domain.span("4-7"), "uid-web")
    assert [each.verified for each in found] == [True, False]


@pytest.mark.parametrize(
    ("other", "alive", "found"),
    [
        (_holding("6-9", "uid-b", verified=True), True, 1),
        (_holding("6-9", "uid-b", verified=False), True, 0),
        (_holding("6-9", "uid-b", verified=True), False, 0),
        (_holding("8-9", "uid-b", verified=True), True, 0),
        (_holding("4-5", "uid-web", verified=True), True, 0),
    ],
    ids=["both run", "one was not let start", "one is gone", "neighbours", "one pod"],
)
def test_two_pods_that_run_on_one_core_are_seen(other: holdings.Holding, alive: bool, found: int) -> None:
    record = (_holding(verified=True), other)
    assert len(holdings.shared(record, _alive(web=True, b=alive))) == found


def test_what_is_given_anew_outdates_entries_of_other_pods_only() -> None:
    over = _placed("4-7", "uid-former")
    kept = [
        _placed("4-7", "uid-web", "init"),
        _placed("8-9", "uid-former"),
        _placed("4-7", "uid-former", resource=names.DEVICE_RESOURCE),  # kubelet counts the two apart
        dataclasses.replace(over, former=True),  # and these, too
    ]
    assert holdings.given_anew([over, *kept], CORES, domain.span("6-7"), "uid-web") == {over}
