"""The log of a stored ledger is found by pod, node and grant."""

import logging

import pytest

from kits.manifests import domain
from neuronspan import grants
from neuronspan_operator.reconciling import grant_log

GRANTED = domain.grant("4-7")
CONFIRMED = domain.grant("4-7", state=grants.GrantState.CONFIRMED)
OTHER = domain.grant("8", "api")


def lines(before: list[grants.Grant] | None, now: list[grants.Grant], caplog: pytest.LogCaptureFixture) -> list[str]:
    """Store these grants after those; returns what a search would find."""
    with caplog.at_level(logging.INFO):
        grant_log.stored("w1", None if before is None else domain.book(32, before), domain.book(32, now))
    fields = "message", "node", "pod", "grant", "state"
    return [" ".join(str(each.__dict__[field]) for field in fields) for each in caplog.records]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, [GRANTED], ["grant stored w1 default/web app:4-7 Granted"]),
        ([OTHER], [GRANTED, OTHER], ["grant stored w1 default/web app:4-7 Granted"]),
        ([GRANTED], [CONFIRMED], ["grant stored w1 default/web app:4-7 Confirmed"]),
        ([CONFIRMED, OTHER], [OTHER], ["grant dropped w1 default/web app:4-7 Confirmed"]),
        ([GRANTED], [GRANTED], []),
    ],
    ids=["first", "new", "changed", "gone", "same"],
)
def test_stored_ledger_logs_every_grant_that_differs(
    before: list[grants.Grant] | None,
    now: list[grants.Grant],
    expected: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert lines(before, now, caplog) == expected
