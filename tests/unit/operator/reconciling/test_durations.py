"""Latencies of a grant's life, read off two ledgers."""

import datetime as dt

import pytest

from kits.manifests import builders
from neuronspan import grants, ledger, names, spans
from neuronspan_operator.objects import pods
from neuronspan_operator.reconciling import durations

NOW = dt.datetime(2026, 1, 31, 9, 0, 10, tzinfo=dt.UTC)
POD = pods.read(builders.make_pod(cores=4, created="2026-01-31T09:00:03Z"))


def book(state: grants.GrantState | None, since: str = "2026-01-31T09:00:05.500000Z") -> ledger.Ledger:
    if state is None:
        return ledger.Ledger(32)
    grant = grants.Grant(
        POD.uid, POD.namespace, POD.name, "app", spans.CoreSpan(0, 4), names.CORE_RESOURCE, grants.EnvMode.VISIBLE,
        state, since,
    )  # fmt: skip
    return ledger.Ledger(32, (grant,))


GRANTED, CONFIRMED, RELEASING = grants.GrantState


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, GRANTED, [("granted", 7.0)]),
        (None, CONFIRMED, []),
        (GRANTED, CONFIRMED, [("confirmed", 4.5)]),
        (GRANTED, GRANTED, []),
        (CONFIRMED, RELEASING, []),
        (RELEASING, None, [("released", 4.5)]),
    ],
    ids=["granted", "adopted", "confirmed", "unchanged", "releasing", "released"],
)
def test_passed_tells_which_stage_ended(
    before: grants.GrantState | None, after: grants.GrantState | None, expected: list[tuple[str, float]]
) -> None:
    assert list(durations.passed(book(before), book(after), {POD.uid: POD}, NOW)) == expected


def test_passed_knows_no_waiting_time_of_a_pod_it_has_not_seen() -> None:
    assert list(durations.passed(book(None), book(GRANTED), {}, NOW)) == []


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [("2026-01-31T09:00:09Z", 1), ("2026-01-31T10:00:09+01:00", 1), ("2026-01-31T09:00:11Z", 0), ("soon", 0), ("", 0),
     ("2026-01-31T09:00:09", 0)],
    ids=["utc", "offset", "clock-ahead", "unreadable", "empty", "no-zone"],
)  # fmt: skip
def test_seconds_since(moment: str, seconds: float) -> None:
    assert durations.seconds_since(moment, NOW) == seconds
