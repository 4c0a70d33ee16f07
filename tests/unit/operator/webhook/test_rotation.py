"""When an identity is kept, renewed, restored, or made anew; and that nothing else changes the Secret."""

import base64
import dataclasses
import datetime as dt

import pytest

from neuronspan_operator import errors
from neuronspan_operator.webhook import identities, rotation

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = frozenset({"webhook.neuronspan.svc"})
DAY = dt.timedelta(days=1)
EMPTY = identities.Book()


def identity(name: str, *, age: float, names: frozenset[str] = NAMES) -> identities.Identity:
    """An identity of 90 days' life that is so many days old."""
    made = NOW - age * DAY
    return identities.Identity(f"authority {name}", f"certificate {name}", f"key {name}", names, made, made + 90 * DAY)


FRESH = identity("fresh", age=0)
OLD = identity("old", age=60)
NEXT = identity("next", age=0.1)


def wanted(stored: identities.Book, kept: identities.Book = EMPTY) -> identities.Book:
    return rotation.wanted(stored, kept, rotation.Moment(NAMES, NOW), lambda: FRESH)


def test_empty_secret_gets_an_identity() -> None:
    assert wanted(EMPTY) == identities.Book(FRESH)


@pytest.mark.parametrize("age", [0.0, 30.0, 59.9])
def test_young_identity_stays(age: float) -> None:
    book = identities.Book(identity("a", age=age), None, "authority before")
    assert wanted(book) == book


def test_identity_at_two_thirds_of_its_life_gets_a_successor_that_is_only_trusted() -> None:
    after = wanted(identities.Book(OLD))
    assert after == identities.Book(OLD, FRESH)
    assert after.trusted == "authority freshauthority old"


def test_successor_is_served_once_every_api_server_has_heard_of_it() -> None:
    young = identity("next", age=rotation.SETTLING / DAY - 0.001)
    assert wanted(identities.Book(OLD, young)) == identities.Book(OLD, young)
    assert wanted(identities.Book(OLD, NEXT)) == identities.Book(NEXT, None, OLD.authority)


def test_former_authority_stays_trusted_after_a_succession() -> None:
    after = wanted(identities.Book(OLD, NEXT))
    assert wanted(after) == after
    assert OLD.authority in after.trusted


@pytest.mark.parametrize(
    "unusable",
    [
        identity("ended", age=90),
        identity("not yet", age=-1),
        identity("other", age=1, names=frozenset({"other.neuronspan.svc"})),
    ],
    ids=["ended", "not-yet-valid", "other-name"],
)
def test_unusable_identity_is_replaced_and_its_authority_still_trusted(unusable: identities.Identity) -> None:
    assert wanted(identities.Book(unusable)) == identities.Book(FRESH, None, unusable.authority)


def test_successor_takes_over_at_once_when_the_current_one_has_ended() -> None:
    ended = identity("ended", age=91)
    assert wanted(identities.Book(ended, NEXT)) == identities.Book(NEXT, None, ended.authority)


def test_deleted_secret_is_restored_from_what_this_process_saw() -> None:
    kept = identities.Book(OLD, NEXT, "authority before")
    young = identities.Book(identity("a", age=1), None, "authority before")
    assert wanted(EMPTY, young) == young
    assert wanted(EMPTY, kept).current == NEXT


def test_stored_identity_wins_over_what_this_process_saw() -> None:
    stored = identities.Book(identity("theirs", age=1))
    assert wanted(stored, identities.Book(identity("ours", age=2))) == stored


def test_unusable_successor_is_left_out() -> None:
    current = identity("a", age=1)
    assert wanted(identities.Book(current, identity("ended", age=91))) == identities.Book(current)


def test_successor_that_is_the_current_one_is_none() -> None:
    current = identity("a", age=1)
    assert wanted(identities.Book(current, current)) == identities.Book(current)


def test_names_are_those_that_api_servers_ask_for() -> None:
    assert "neuronspan-webhook.system.svc" in rotation.host_names("neuronspan-webhook", "system")
    assert "10.0.0.1" in rotation.host_names("a", "b", ["10.0.0.1"])


# --- as a Secret ---------------------------------------------------------------------------------------------------


def read(authority: str, certificate: str, key: str) -> identities.Identity:
    known = {each.certificate: each for each in (FRESH, OLD, NEXT)}
    if certificate not in known or (authority, key) != (known[certificate].authority, known[certificate].key):
        raise errors.BrokenCertificate(certificate)
    return known[certificate]


def is_authority(text: str) -> bool:
    return text.startswith("authority")


@pytest.mark.parametrize(
    "book", [EMPTY, identities.Book(OLD), identities.Book(OLD, NEXT), identities.Book(NEXT, None, "authority old")]
)
def test_secret_gives_back_the_book(book: identities.Book) -> None:
    assert identities.from_secret(identities.to_secret(book), read, is_authority) == book


@pytest.mark.parametrize("value", ["", "%", "/w==", base64.b64encode(b"junk").decode()])
@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_spoilt_part_costs_the_identity_that_it_is_of(name: str, value: str) -> None:
    data = identities.to_secret(identities.Book(OLD, NEXT))
    assert identities.from_secret({**data, name: value}, read, is_authority) == identities.Book(None, NEXT)
    spoilt = {**data, f"next-{name}": value}
    assert identities.from_secret(spoilt, read, is_authority) == identities.Book(OLD, None)


def test_former_authority_that_is_none_is_trusted_by_nobody() -> None:
    data = identities.to_secret(dataclasses.replace(identities.Book(OLD), former="junk"))
    assert identities.from_secret(data, read, is_authority).former == ""
