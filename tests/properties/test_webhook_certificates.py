"""Replicas that keep one certificate: clocks differ, steps interleave anyhow, and somebody spoils the Secret.

Only the cryptography is played: `rotation` and `identities` are the real ones, and the order of a round is `keeping`'s.
"""

import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator

import hypothesis
from hypothesis import strategies

from neuronspan_operator.webhook import identities, rotation

BEGIN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
NAMES = frozenset({"webhook.neuronspan.svc"})
LIFE = dt.timedelta(days=90)
MOST_SKEW_MINUTES = 10
MOST_STEP_MINUTES = 5


@dataclasses.dataclass
class Cluster:
    """What all see: the Secret with its version, and whom API servers trust."""

    now: dt.datetime = BEGIN
    book: identities.Book = dataclasses.field(default_factory=identities.Book)
    version: int = 0
    trusted: str = ""
    serials: Iterator[int] = dataclasses.field(default_factory=itertools.count)


class Replica:
    """One process: `step` goes on with its round, or begins the next one."""

    def __init__(self, cluster: Cluster, skew: dt.timedelta) -> None:
        self.serving: identities.Identity | None = None
        self._cluster = cluster
        self._skew = skew
        self._kept = identities.Book()
        self._round = iter(self._steps())

    def step(self) -> None:
        if next(self._round, "over") == "over":
            self._round = iter(self._steps())

    def finish(self) -> None:
        """Complete this round and another one, alone."""
        for _ in range(2):
            for _step in self._round:
                pass
            self._round = iter(self._steps())

    def _steps(self) -> Iterator[str]:
        cluster = self._cluster
        stored, version = cluster.book, cluster.version
        yield "read"
        moment = rotation.Moment(NAMES, cluster.now + self._skew)
        wanted = rotation.wanted(stored, self._kept, moment, lambda: self._issue(moment.now))
        if wanted != stored:
            if cluster.version != version:
                return  # a conflict
            cluster.book, cluster.version = wanted, version + 1
        self._kept = wanted
        yield "written"
        cluster.trusted = wanted.trusted
        yield "trusted"
        self.serving = wanted.current

    def _issue(self, now: dt.datetime) -> identities.Identity:
        serial = next(self._cluster.serials)
        return identities.Identity(f"(authority {serial})", f"{serial}", "key", NAMES, now, now + LIFE)


minutes = strategies.integers(-MOST_SKEW_MINUTES, MOST_SKEW_MINUTES)
turns = strategies.lists(strategies.integers(1, 3), min_size=3, max_size=3)
days = strategies.lists(strategies.lists(turns, min_size=6, max_size=40), min_size=10, max_size=30)


def bootstrapped(skews: list[int]) -> tuple[Cluster, list[Replica]]:
    cluster = Cluster()
    replicas = [Replica(cluster, dt.timedelta(minutes=each)) for each in skews]
    for each in replicas:
        each.finish()
    return cluster, replicas


def tick(cluster: Cluster, replicas: list[Replica], counts: list[int]) -> None:
    cluster.now += dt.timedelta(minutes=MOST_STEP_MINUTES)
    for replica, count in zip(replicas, counts, strict=True):
        for _ in range(count):
            replica.step()


@hypothesis.given(skews=strategies.lists(minutes, min_size=3, max_size=3), plan=days)
@hypothesis.settings(max_examples=60)
def test_no_api_server_ever_meets_what_it_does_not_trust(skews: list[int], plan: list[list[list[int]]]) -> None:
    cluster, replicas = bootstrapped(skews)
    served = set()
    for day in plan:
        cluster.now += dt.timedelta(days=5)
        for counts in day:
            tick(cluster, replicas, counts)
            for each in replicas:
                assert each.serving is not None
                assert each.serving.authority in cluster.trusted
                assert each.serving.serves(NAMES, cluster.now)
                served.add(each.serving.certificate)
    assert len(served) <= 1 + (5 * len(plan) + 7) // 60 + 1  # none is renewed before its time


SPOILT = (
    identities.Book(),
    identities.Book(None, None, "(authority x)"),
    identities.Book(identities.Identity("(authority y)", "y", "key", frozenset({"other"}), BEGIN, BEGIN + 9 * LIFE)),
    identities.Book(identities.Identity("(authority z)", "z", "key", NAMES, BEGIN - 2 * LIFE, BEGIN - LIFE)),
)


@hypothesis.given(
    skews=strategies.lists(minutes, min_size=3, max_size=3),
    plan=strategies.lists(
        strategies.tuples(turns, strategies.none() | strategies.sampled_from(SPOILT), strategies.booleans()),
        max_size=40,
    ),
)
def test_whatever_was_spoilt_replicas_end_with_one_certificate_that_is_trusted(
    skews: list[int], plan: list[tuple[list[int], identities.Book | None, bool]]
) -> None:
    cluster, replicas = bootstrapped(skews)
    for counts, spoilt, distrusts in plan:
        if spoilt is not None:
            cluster.book, cluster.version = spoilt, cluster.version + 1
        cluster.trusted = "" if distrusts else cluster.trusted
        tick(cluster, replicas, counts)
    for each in replicas + replicas:
        each.finish()
    (serving,) = {each.serving for each in replicas}
    assert serving is not None
    assert serving == cluster.book.current
    assert serving.serves(NAMES, cluster.now)
    assert cluster.trusted == cluster.book.trusted
