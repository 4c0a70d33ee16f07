import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, grants, ledger

GRANTED, CONFIRMED, RELEASING = grants.GrantState.GRANTED, grants.GrantState.CONFIRMED, grants.GrantState.RELEASING
WEB = ("uid-web", "app")


def constructed(cores: int, entries: Iterable[grants.Grant]) -> ledger.Ledger:
    return ledger.Ledger(cores, tuple(entries))


def read_back(cores: int, entries: Iterable[grants.Grant]) -> ledger.Ledger:
    return ledger.Ledger.from_list(cores, [entry.to_dict() for entry in entries])


def added(cores: int, entries: Iterable[grants.Grant]) -> ledger.Ledger:
    made = ledger.Ledger(cores)
    for entry in entries:
        made = made.add(entry)
    return made


def adopted(cores: int, entries: Iterable[grants.Grant]) -> ledger.Ledger:
    made = ledger.Ledger(cores)
    for entry in entries:
        made = made.adopt(dataclasses.replace(entry, state=CONFIRMED))
    return made


def replaced(cores: int, entries: Iterable[grants.Grant]) -> ledger.Ledger:
    return dataclasses.replace(ledger.Ledger(cores), grants=tuple(entries))


every_constructor = pytest.mark.parametrize("make", [constructed, read_back, added, adopted, replaced])
Make = Callable[[int, Iterable[grants.Grant]], ledger.Ledger]


@every_constructor
@pytest.mark.parametrize("second", ["4-7", "7", "0-4", "5-6", "0-31", "3-4"])
def test_ledger_refuses_two_grants_that_share_a_core(make: Make, second: str) -> None:
    with pytest.raises(errors.SpanOverlap, match="share a core: choose free cores for one of them") as caught:
        make(32, [domain.grant("4-7"), domain.grant(second, pod="job")])
    assert "default/web[app] 4-7" in str(caught.value)
    assert f"default/job[app] {second}" in str(caught.value)


@every_constructor
def test_ledger_refuses_overlap_behind_a_long_grant(make: Make) -> None:
    entries = [domain.grant("0-9"), domain.grant("2", pod="b"), domain.grant("12", pod="c")]
    with pytest.raises(errors.SpanOverlap):
        make(32, entries)


@every_constructor
@pytest.mark.parametrize("cores", ["32", "31-32", "29-40", "100"])
def test_ledger_refuses_a_grant_past_the_last_core(make: Make, cores: str) -> None:
    with pytest.raises(errors.SpanOutOfRange, match="reaches past the node's last core 31: choose cores 0-31"):
        make(32, [domain.grant(cores)])


@every_constructor
def test_ledger_refuses_two_grants_for_one_container(make: Make) -> None:
    with pytest.raises(
        errors.DuplicateGrant, match="container app of pod uid-web has two grants, 0-3 and 8-11: keep one"
    ):
        make(32, [domain.grant("8-11"), domain.grant("0-3")])


@every_constructor
def test_ledger_takes_grants_that_touch_and_fill_the_node(make: Make) -> None:
    made = make(8, [domain.grant("4-7"), domain.grant("0-3", container="side")])
    assert made.taken() == domain.spans_of("0-3 4-7")
    assert (made.free_runs(), made.granted_cores, made.free_cores) == ((), 8, 0)


@pytest.mark.parametrize("cores", [0, -1, True, "32", None])
def test_ledger_refuses_a_node_without_cores(cores: Any) -> None:
    with pytest.raises(errors.LedgerError, match="give the node's number of cores, at least 1"):
        ledger.Ledger(cores)


def test_ledger_refuses_a_bad_entry() -> None:
    with pytest.raises(errors.InvalidGrant, match="lacks podUID"):
        ledger.Ledger.from_list(32, [{}])


def test_ledger_keeps_grants_in_the_order_of_their_cores() -> None:
    entries = [domain.grant("8-9", pod="c"), domain.grant("0", pod="a"), domain.grant("4-7", pod="b")]
    made = domain.book(32, entries)
    assert [grant.pod for grant in made.grants] == ["a", "b", "c"]
    assert made == domain.book(32, reversed(entries))


def test_ledger_walks_through_the_life_of_a_grant() -> None:
    empty = ledger.Ledger(32)
    granted = empty.add(domain.grant())
    confirmed = granted.confirm(WEB, domain.LATER)
    releasing = confirmed.release(WEB, domain.LATER)
    assert [book.grants[0].state for book in (granted, confirmed, releasing)] == [GRANTED, CONFIRMED, RELEASING]
    assert confirmed.grants[0].since == domain.LATER
    assert releasing.taken() == domain.spans_of("4-7")
    assert releasing.forget(WEB) == empty


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (CONFIRMED, lambda book: book.confirm(WEB, domain.LATER)),
        (RELEASING, lambda book: book.confirm(WEB, domain.LATER)),
        (RELEASING, lambda book: book.release(WEB, domain.LATER)),
        (GRANTED, lambda book: book.forget(WEB)),
        (CONFIRMED, lambda book: book.forget(WEB)),
    ],
    ids=["confirm-twice", "confirm-releasing", "release-twice", "forget-granted", "forget-confirmed"],
)
def test_ledger_refuses_a_step_that_is_not_in_the_life_of_a_grant(
    state: grants.GrantState, step: Callable[[ledger.Ledger], ledger.Ledger]
) -> None:
    with pytest.raises(errors.IllegalTransition, match=rf"grant default/web\[app\] 4-7 is {state} and cannot b"):
        step(domain.book(32, [domain.grant(state=state)]))


@pytest.mark.parametrize(
    "step",
    [
        lambda book: book.get(("uid-x", "app")),
        lambda book: book.confirm(("uid-x", "app"), domain.LATER),
        lambda book: book.release(("uid-x", "app"), domain.LATER),
        lambda book: book.forget(("uid-x", "app")),
        lambda book: book.moved({("uid-x", "app"): domain.span("0-3")}),
    ],
    ids=["get", "confirm", "release", "forget", "moved"],
)
def test_ledger_names_the_grant_it_does_not_have(step: Callable[[ledger.Ledger], object]) -> None:
    with pytest.raises(errors.UnknownGrant, match="no grant for container app of pod uid-x"):
        step(domain.book(32, [domain.grant()]))


@pytest.mark.parametrize("state", [CONFIRMED, RELEASING])
def test_ledger_adds_granted_cores_only(state: grants.GrantState) -> None:
    with pytest.raises(errors.IllegalTransition, match=f"is {state} and cannot be entered so: adopt it"):
        ledger.Ledger(32).add(domain.grant(state=state))


@pytest.mark.parametrize("state", [CONFIRMED, RELEASING])
def test_ledger_adopts_cores_in_use(state: grants.GrantState) -> None:
    assert ledger.Ledger(32).adopt(domain.grant(state=state)).get(WEB).state is state


def test_ledger_adopts_no_cores_that_nobody_holds() -> None:
    with pytest.raises(errors.IllegalTransition, match="is Granted and cannot be entered so: add it"):
        ledger.Ledger(32).adopt(domain.grant())


def test_ledger_moves_only_the_spans() -> None:
    web = domain.grant("4-7", group_sizes="3,1", state=CONFIRMED)
    job = domain.grant("8-11", pod="job", env=grants.EnvMode.COUNT)
    stays = domain.grant("0", pod="stays")
    moved = domain.book(32, [web, job, stays]).moved({web.key: job.span, job.key: web.span})
    assert moved.get(web.key) == dataclasses.replace(web, span=job.span)
    assert moved.get(job.key) == dataclasses.replace(job, span=web.span)
    assert moved.get(stays.key) == stays


@pytest.mark.parametrize(
    ("cores", "error", "words"),
    [
        ("8-10", errors.IllegalTransition, "cannot move to cores 8-10: it has 4 cores, and only a grant for 3 could"),
        ("9-12", errors.SpanOverlap, "share a core"),
        ("29-32", errors.SpanOutOfRange, "reaches past the node's last core 31"),
    ],
    ids=["another size", "somebody's", "outside"],
)
def test_ledger_refuses_a_move_that_cannot_be(cores: str, error: type[errors.LedgerError], words: str) -> None:
    with pytest.raises(error, match=words):
        domain.book(32, [domain.grant(), domain.grant("12-15", pod="job")]).moved({WEB: domain.span(cores)})


def test_ledger_answers_who_has_what() -> None:
    side = domain.grant("0", container="side")
    book = domain.book(32, [domain.grant(), side, domain.grant("8-11", pod="job")])
    assert book.find(domain.span("4-7")) == domain.grant()
    assert book.find(domain.span("4-6")) is None
    assert book.of_pod("uid-web") == (side, domain.grant())
    assert book.of_pod("uid-x") == ()
    assert book.get(WEB) == domain.grant()
    assert WEB in book
    assert ("uid-web", "other") not in book
    assert book.granted_cores == 9


@pytest.mark.parametrize(
    ("taken", "free", "largest", "fragmentation"),
    [
        ([], "0-15", 16, 0.0),
        (["0-15"], "", 0, 0.0),
        (["0-7"], "8-15", 8, 0.0),
        (["4-7"], "0-3 8-15", 8, 1 - 8 / 12),
        (["1", "3", "5-15"], "0 2 4", 1, 1 - 1 / 3),
    ],
)
def test_ledger_measures_what_is_free(taken: list[str], free: str, largest: int, fragmentation: float) -> None:
    book = domain.book(16, [domain.grant(cores, pod=f"p{cores}") for cores in taken])
    assert book.free_runs() == domain.spans_of(free)
    assert book.largest_free_run() == largest
    assert book.fragmentation() == pytest.approx(fragmentation)
    assert book.free_cores == 16 - book.granted_cores


def test_ledger_counts_releasing_grants_as_taken() -> None:
    book = domain.book(8, [domain.grant("0-7", state=RELEASING)])
    assert book.largest_free_run() == 0


def test_ledger_reads_what_it_stores() -> None:
    book = domain.book(32, [domain.grant(), domain.grant("0-3", pod="job", state=RELEASING)])
    assert ledger.Ledger.from_list(32, book.to_list()) == book
    assert [entry["pod"] for entry in book.to_list()] == ["job", "web"]
