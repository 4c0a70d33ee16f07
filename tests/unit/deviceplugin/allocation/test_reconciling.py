"""What kubelet's checkpoint, the ledger and processes make of the record: who is named, and when a holding ends."""

import pytest

from kits.kubelet import holders
from kits.manifests import domain
from neuronspan import grants
from neuronspan_deviceplugin.allocation import holdings, reconciling

EMPTY = domain.book(32)
RELEASING = grants.GrantState.RELEASING


def test_unknown_holder_is_named_by_kubelets_record() -> None:
    (found,) = reconciling.reconciled(
        (holders.holding(uid=""),), [holders.placed()], EMPTY, holders.alive(web=True), holders.NOW
    )
    assert (found.pod_uid, found.container, found.certain, found.started) == ("uid-web", "app", True, True)


def test_expected_holder_is_believed_until_kubelets_record_names_another() -> None:
    expected = holders.holding(uid="uid-a", certain=False, namespace="default", pod="a", verified=True)
    (found,) = reconciling.reconciled(
        (expected,), [holders.placed(uid="uid-b")], EMPTY, holders.alive(b=True), holders.NOW
    )
    assert (found.pod_uid, found.pod, found.verified) == ("uid-b", "", False)


def test_swapped_holders_are_both_recognised() -> None:
    expected = (holders.holding("0-3", "uid-a", certain=False), holders.holding("4-7", "uid-b", certain=False))
    placed = [holders.placed("4-7", "uid-a"), holders.placed("0-3", "uid-b")]
    found = reconciling.reconciled(expected, placed, EMPTY, holders.alive(a=True, b=True), holders.NOW)
    assert [(str(each.span), each.pod_uid) for each in found] == [("0-3", "uid-b"), ("4-7", "uid-a")]


def test_init_container_and_its_successor_are_two_holders_of_the_same_cores() -> None:
    placed = [holders.placed(container="init"), holders.placed()]
    found = reconciling.reconciled(
        (holders.holding(certain=False),), placed, EMPTY, holders.alive(web=True), holders.NOW
    )
    assert {each.container for each in found} == {"app", "init"}


def test_container_that_kubelet_moved_is_where_kubelet_says_and_unverified() -> None:
    (found,) = reconciling.reconciled(
        (holders.holding(verified=True),), [holders.placed("8-11")], EMPTY, holders.alive(web=True), holders.NOW
    )
    assert (str(found.span), found.verified) == ("8-11", False)


def test_name_comes_from_the_pods_grant() -> None:
    (found,) = reconciling.reconciled(
        (holders.holding(),),
        [holders.placed()],
        domain.book(32, [domain.grant()]),
        holders.alive(web=True),
        holders.NOW,
    )
    assert (found.namespace, found.pod) == ("default", "web")


GRANTED, GONE = domain.book(32, [domain.grant()]), domain.book(32, [domain.grant(state=RELEASING)])
LISTED = [holders.placed()]
ENDS = {
    "a process keeps it, whatever kubelet and ledger forgot": (holders.holding(), [], EMPTY, True, True),
    "a process keeps it while it is being released": (holders.holding(started=True), LISTED, GONE, True, True),
    "a grant keeps it between two sandboxes": (holders.holding(started=True), LISTED, GRANTED, False, True),
    "without process and grant it is over": (holders.holding(started=True), LISTED, EMPTY, False, False),
    "a pod being released without a process is over": (holders.holding(), LISTED, GONE, False, False),
    "a young one may not have its first process yet": (holders.holding(), LISTED, EMPTY, False, True),
    "an old one without a process is over": (holders.holding(since=holders.NOW - 61), LISTED, EMPTY, False, False),
    "a record from before a reboot is not young": (
        holders.holding(since=holders.NOW + 5000),
        LISTED,
        EMPTY,
        False,
        False,
    ),
    "unseen processes keep what kubelet lists": (holders.holding(started=True), LISTED, EMPTY, None, True),
    "unseen processes keep what the ledger lists": (holders.holding(started=True), [], GONE, None, True),
    "unseen processes do not keep what neither lists": (holders.holding(started=True), [], EMPTY, None, False),
    "an unknown ledger keeps what kubelet lists": (holders.holding(started=True), LISTED, None, False, True),
}


@pytest.mark.parametrize(("holding", "placed", "book", "alive", "kept"), ENDS.values(), ids=ENDS.keys())
def test_holding_ends_only_on_proof(
    holding: holdings.Holding, placed: list[holdings.Placed], book: object, alive: bool | None, kept: bool
) -> None:
    found = reconciling.reconciled((holding,), placed, book, holders.alive(web=alive), holders.NOW)  # type: ignore[arg-type]
    assert bool(found) is kept


@pytest.mark.parametrize(
    ("book", "alive", "taken"),
    [(EMPTY, False, False), (EMPTY, True, True), (EMPTY, None, True), (GRANTED, False, True), (GONE, False, False)],
    ids=["stale entry", "running pod", "unseen pod", "granted pod", "pod being released"],
)
def test_entry_that_only_kubelet_knows_is_taken_in_when_something_speaks_for_it(
    book: object, alive: bool | None, taken: bool
) -> None:
    found = reconciling.reconciled((), LISTED, book, holders.alive(web=alive), holders.NOW)  # type: ignore[arg-type]
    assert bool(found) is taken


def test_unreadable_record_of_kubelet_ends_nothing_that_lives() -> None:
    assert reconciling.reconciled((holders.holding(),), None, EMPTY, holders.alive(web=True), holders.NOW)
