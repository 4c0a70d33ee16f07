"""Who may start on which cores: every reason to refuse, and none to refuse wrongly."""

import contextlib
import dataclasses

import pytest

from kits.manifests import domain
from neuronspan import grants, ledger, names
from neuronspan_deviceplugin import errors
from neuronspan_deviceplugin.allocation import holdings, verification

CORES = names.CORE_RESOURCE
START = verification.Start(CORES, domain.span("4-7"))
WEB = verification.Holder("uid-web", frozenset({"app"}))


def _placed(uid: str = "uid-web", container: str = "app", cores: str = "4-7", resource: str = CORES) -> holdings.Placed:
    return holdings.Placed(uid, container, resource, domain.span(cores))


def _holding(uid: str = "uid-web", cores: str = "4-7", *, verified: bool = False) -> holdings.Holding:
    return holdings.Holding(CORES, domain.span(cores), 0.0, uid, "default", "web", "app", True, True, verified)


def test_holder_is_the_pod_in_kubelets_record() -> None:
    placed = [_placed(), _placed("uid-other", cores="8-11"), _placed("uid-third", resource=names.DEVICE_RESOURCE)]
    assert verification.holder_to_start(START, placed, ()) == WEB


def test_init_container_and_its_successor_are_one_holder() -> None:
    holder = verification.holder_to_start(START, [_placed(container="init"), _placed()], ())
    assert holder.containers == {"init", "app"}


def test_our_own_record_speaks_only_when_kubelets_cannot_be_read() -> None:
    assert verification.holder_to_start(START, None, (_holding(),)) == WEB
    with pytest.raises(errors.NotYet) as refusal:
        verification.holder_to_start(START, [], (_holding(),))
    assert refusal.value.reason == "HolderUnknown"


def test_cores_given_twice_start_no_pod() -> None:
    with pytest.raises(errors.NotYet) as refusal:
        verification.holder_to_start(START, [_placed(), _placed("uid-other")], ())
    assert refusal.value.reason == "GivenTwice"


ALLOWED = {
    "its grant": (domain.grant("4-7"), WEB),
    "a confirmed one": (domain.grant("4-7", state=grants.GrantState.CONFIRMED), WEB),
    "the chain of an init container": (
        domain.grant("4-9", init_containers=("init",)), verification.Holder("uid-web", frozenset({"init"})),
    ),
    "a container without a name yet": (domain.grant("4-7"), verification.Holder("uid-web", frozenset())),
}  # fmt: skip


@pytest.mark.parametrize(("grant", "holder"), ALLOWED.values(), ids=ALLOWED.keys())
def test_start_is_allowed_by(grant: grants.Grant, holder: verification.Holder) -> None:
    assert verification.grant_to_start(START, holder, domain.book(32, [grant]), ()) == grant


REFUSED = {
    "no grant yet": ([], "NotGranted", "waiting for the operator to adopt"),
    "a grant elsewhere": ([domain.grant("8-11")], "Drift", "granted to the pod: 8-11"),
    "a grant of part of the cores": ([domain.grant("4-6")], "Drift", "granted to the pod: 4-6"),
    "a grant under the other resource": ([domain.grant("4-7", resource=names.DEVICE_RESOURCE)], "Drift", "4-7"),
    "a grant that is being released": (
        [domain.grant("4-7", state=grants.GrantState.RELEASING)], "Releasing", "nothing of it starts again",
    ),
    "an equal grant of another pod": (
        [domain.grant("8-11"), domain.grant("4-7", "other")], "Swapped", "waiting for the operator to swap",
    ),
    "an equal grant of its own pod's other container": (
        [domain.grant("8-11"), domain.grant("4-7", container="b")], "Swapped", "of default/web[b] 4-7",
    ),
    "an unequal grant of another pod": (
        [domain.grant("8-10"), domain.grant("4-7", "other")], "GrantedToAnother", "delete the pod",
    ),
    "another pod's grant of some of the cores": ([domain.grant("6-9", "other")], "GrantedToAnother", "default/other"),
}  # fmt: skip


@pytest.mark.parametrize(("entries", "reason", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_start_is_refused_with(entries: list[grants.Grant], reason: str, words: str) -> None:
    with pytest.raises(errors.NotYet, match=words.replace("[", r"\[").replace("]", r"\]")) as refusal:
        verification.grant_to_start(START, WEB, domain.book(32, entries), ())
    assert refusal.value.reason == reason


def test_app_container_may_not_start_on_the_beginning_of_its_chain() -> None:
    book = domain.book(32, [domain.grant("4-9", init_containers=("init",))])
    with pytest.raises(errors.NotYet):
        verification.grant_to_start(START, WEB, book, ())


@pytest.mark.parametrize(("verified", "allowed"), [(True, True), (False, False)], ids=["before", "never"])
def test_without_a_ledger_only_who_started_here_before_starts(verified: bool, allowed: bool) -> None:
    record = (_holding(verified=verified), _holding("uid-other", "8-11", verified=True))
    if allowed:
        assert verification.grant_to_start(START, WEB, None, record) is None
        return
    with pytest.raises(errors.NotYet) as refusal:
        verification.grant_to_start(START, WEB, None, record)
    assert refusal.value.reason == "LedgerUnknown"


RELEASED = domain.book(32, [domain.grant("6-9", "other", state=grants.GrantState.RELEASING)])
FORMER = {
    "a former holder that lives": ((_holding("uid-other", "7-9"),), domain.book(32), {"uid-other": True}, False),
    "a former holder that cannot be seen": ((_holding("uid-other", "7-9"),), domain.book(32), {}, False),
    "a former holder that is gone": ((_holding("uid-other", "7-9"),), domain.book(32), {"uid-other": False}, True),
    "a living neighbour": ((_holding("uid-other", "8-9"),), domain.book(32), {"uid-other": True}, True),
    "the pod itself": ((_holding(),), domain.book(32), {"uid-web": True}, True),
    "a holder not named yet": ((_holding(""),), domain.book(32), {}, True),
    "a tombstone whose pod lives": ((), RELEASED, {"uid-other": True}, False),
    "a tombstone whose pod is gone": ((), RELEASED, {"uid-other": False}, True),
    "no ledger": ((), None, {}, True),
}


@pytest.mark.parametrize(("record", "book", "alive", "allowed"), FORMER.values(), ids=FORMER.keys())
def test_start_beside(
    record: holdings.Holdings, book: ledger.Ledger | None, alive: dict[str, bool | None], allowed: bool
) -> None:
    if allowed:
        expected: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    else:
        expected = pytest.raises(errors.NotYet, match="former holder")
    with expected as refusal:
        verification.refuse_former_holders(START, "uid-web", book, record, alive.get)
    assert (refusal is None) is allowed


def test_refusal_names_the_former_holder() -> None:
    record = (dataclasses.replace(_holding("uid-other", "7-9"), pod="old"),)
    with pytest.raises(errors.NotYet, match=r"default/old\[app\] 7-9 \(pod uid-other\) still has processes"):
        verification.refuse_former_holders(START, "uid-web", None, record, {"uid-other": True}.get)
