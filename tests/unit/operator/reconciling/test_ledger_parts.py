"""A change of a ledger in parts: one that is refused must not keep the others from being stored."""

import hypothesis
from hypothesis import strategies

from kits.manifests import domain
from neuronspan import errors, grants, ledger
from neuronspan_operator.reconciling import ledger_parts

CORES = 12


def _book(*entries: grants.Grant) -> ledger.Ledger:
    return ledger.Ledger(CORES, entries)


def test_new_grants_of_two_pods_are_two_parts() -> None:
    after = _book(domain.grant("0-3", "a"), domain.grant("4-7", "b"))
    assert [part.uids for part in ledger_parts.split(_book(), after)] == [{"uid-a"}, {"uid-b"}]


def test_grants_of_one_pod_are_one_part() -> None:
    after = _book(domain.grant("0-3", "a"), domain.grant("4-7", "a", container="b"))
    (part,) = ledger_parts.split(_book(), after)
    assert part.keys == {("uid-a", "app"), ("uid-a", "b")}


def test_pods_that_exchange_their_cores_are_one_part() -> None:
    before = _book(domain.grant("0-3", "a"), domain.grant("4-7", "b"), domain.grant("8-9", "c"))
    after = _book(domain.grant("4-7", "a"), domain.grant("0-3", "b"), domain.grant("8-9", "c", since=domain.LATER))
    assert [part.uids for part in ledger_parts.split(before, after)] == [{"uid-a", "uid-b"}, {"uid-c"}]


def test_what_does_not_change_is_no_part() -> None:
    book = _book(domain.grant("0-3", "a"))
    assert ledger_parts.split(book, book) == ()


@strategies.composite
def _ledgers(draw: strategies.DrawFn) -> ledger.Ledger:
    book = _book()
    for name in draw(strategies.permutations("abcd")):
        first, count = draw(strategies.integers(0, CORES - 1)), draw(strategies.sampled_from([1, 2, 2, 4]))
        entry = domain.grant(
            f"{first}-{min(first + count, CORES) - 1}", name, state=draw(strategies.sampled_from(grants.GrantState))
        )
        try:
            book = _book(*book.grants, entry)
        except errors.LedgerError:
            continue
    return book


@hypothesis.given(_ledgers(), _ledgers(), strategies.data())
@hypothesis.settings(deadline=None, max_examples=40)
def test_any_subset_of_the_parts_is_a_ledger_and_all_of_them_are_the_change(
    before: ledger.Ledger, after: ledger.Ledger, data: strategies.DataObject
) -> None:
    parts = ledger_parts.split(before, after)
    some = data.draw(strategies.sets(strategies.sampled_from(parts)) if parts else strategies.just(set()))
    stored = ledger_parts.only(before, after, some)  # raises when grants overlap
    rest = ledger_parts.split(stored, after)
    assert ledger_parts.only(stored, after, rest) == after
    assert ledger_parts.only(before, after, parts) == after
