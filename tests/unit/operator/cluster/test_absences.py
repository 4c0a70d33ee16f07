"""Pods that the cache does not have."""

from kits.manifests import builders
from neuronspan_operator.cluster import absences
from neuronspan_operator.objects import pods

WEB = pods.read(builders.make_pod("web"))


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pod_that_was_found_counts_beside_the_cached_ones_for_a_while() -> None:
    clock = Clock()
    known = absences.Absences(clock)
    known.found(WEB)
    assert known.completed({}) == {"uid-web": WEB}
    assert known.next_question() == absences.FOUND_SECONDS
    clock.now = absences.FOUND_SECONDS
    assert known.completed({}) == {}
    assert known.next_question() == 0.0
    assert list(known.expired()) == ["uid-web"]
    assert known.next_question() is None
    assert list(known.expired()) == []


def test_pod_that_was_found_again_is_asked_for_again_later() -> None:
    clock = Clock()
    known = absences.Absences(clock)
    known.found(WEB)
    known.found(pods.read(builders.make_pod("other")))
    clock.now = 3.0
    known.found(WEB)
    clock.now = absences.FOUND_SECONDS
    assert list(known.expired()) == ["uid-other"]
    assert known.newest("uid-web", None) == WEB


def test_cached_pod_is_newer_than_the_one_that_was_found() -> None:
    known = absences.Absences(Clock())
    known.found(WEB)
    cached = pods.read(builders.make_pod("web", version="2"))
    assert known.completed({"uid-web": cached}) == {"uid-web": cached}
    assert known.completed({}) == {}


def test_newer_version_of_a_pod_that_was_found_takes_its_place() -> None:
    known = absences.Absences(Clock())
    newer = pods.read(builders.make_pod("web", version="2"))
    known.saw(newer)
    assert known.completed({}) == {}
    known.found(WEB)
    known.saw(newer)
    assert known.completed({}) == {"uid-web": newer}


def test_pod_that_is_gone_is_not_found_any_more() -> None:
    known = absences.Absences(Clock())
    known.found(WEB)
    known.gone("uid-web")
    assert known.completed({}) == {}
    assert known.gone_beside(()) == {"uid-web"}


def test_pod_that_the_cache_has_is_back() -> None:
    """As after a backup of etcd was restored."""
    known = absences.Absences(Clock())
    known.gone("uid-web")
    assert known.gone_beside({"uid-web"}) == frozenset()
    assert known.gone_beside(()) == frozenset()


def test_what_nobody_mentions_any_more_is_forgotten() -> None:
    known = absences.Absences(Clock())
    known.gone("uid-a")
    known.gone("uid-b")
    known.keep_only({"uid-b"})
    assert known.gone_beside(()) == {"uid-b"}
