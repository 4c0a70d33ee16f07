"""Nobody sees the world as it was before their own write."""

import dataclasses

import pytest

from neuronspan_operator.cluster import expectations


@dataclasses.dataclass(frozen=True)
class Thing:
    version: str
    state: str = ""


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def written(clock: Clock) -> expectations.Expectations[Thing]:
    return expectations.Expectations(lambda thing: thing.version, clock)


def test_overlay_shows_own_write_while_the_cache_is_behind(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    cache = {"w1": Thing("4"), "w2": Thing("5")}
    assert written.overlay(cache) == {"w1": Thing("7", "mine"), "w2": Thing("5")}
    assert cache["w1"] == Thing("4")


def test_overlay_ignores_an_event_between_the_read_and_the_write(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    assert written.overlay({"w1": Thing("5", "plugin")})["w1"] == Thing("7", "mine")


@pytest.mark.parametrize("seen", ["7", "8", "10"], ids=["own-write", "newer", "longer"])
def test_overlay_gives_way_once_the_cache_has_caught_up(written: expectations.Expectations[Thing], seen: str) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    assert written.overlay({"w1": Thing(seen, "seen")})["w1"] == Thing(seen, "seen")
    assert len(written) == 0


def test_overlay_never_brings_back_what_is_gone(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    assert written.overlay({}) == {}
    assert written.overlay({"w1": Thing("4")}) == {"w1": Thing("4")}


def test_overlay_keeps_the_newest_of_two_writes(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "first"))
    written.expect("w1", "7", Thing("9", "second"))
    assert written.overlay({"w1": Thing("7", "first")})["w1"] == Thing("9", "second")


def test_overlay_gives_up_on_a_cache_that_never_catches_up(
    written: expectations.Expectations[Thing], clock: Clock
) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    clock.now = 301.0
    assert written.overlay({"w1": Thing("4")})["w1"] == Thing("4")
    assert written.newest("w1", Thing("4")) == Thing("4")


def test_key_whose_cache_never_catches_up_is_named_once(
    written: expectations.Expectations[Thing], clock: Clock
) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    written.expect("w2", "5", Thing("8", "mine"))
    clock.now = 200.0
    written.expect("w1", "7", Thing("9", "mine"))
    assert list(written.expired()) == []
    clock.now = expectations.LIFETIME_SECONDS
    assert list(written.expired()) == ["w2"]
    assert list(written.expired()) == []
    assert written.newest("w1", Thing("7")) == Thing("9", "mine")


def test_one_key_is_never_older_than_the_own_write(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    assert written.newest("w2", Thing("1")) == Thing("1")
    assert written.newest("w1", Thing("5", "plugin")) == Thing("7", "mine")
    assert written.newest("w1", Thing("8", "seen")) == Thing("8", "seen")
    assert len(written) == 0


def test_one_key_that_the_cache_has_seen_go_is_gone(written: expectations.Expectations[Thing]) -> None:
    written.expect("w1", "4", Thing("7", "mine"))
    assert written.newest("w1", None) is None
    assert written.newest("w1", Thing("4")) == Thing("4")
