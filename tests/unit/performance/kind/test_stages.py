"""What the logs tell about a start."""

import pytest

from performance.kind import stages

OPERATOR = (
    '2026-01-01T00:00:00.100Z info ledger changed reason="measured/a is granted app 0"',
    "2026-01-01T00:00:00.110Z info grant stored node=w1 pod=measured/a grant=app:0 state=Granted",
    "2026-01-01T00:00:00.900Z info grant stored node=w1 pod=measured/a grant=app:0 state=Confirmed",
    "2026-01-01T00:00:00.050Z info grant stored node=w1 pod=measured/ab grant=app:0 state=Granted",
)
PLUGIN = (
    '2026-01-01T00:00:00.150Z {"message": "allocated", "cores": "0", "pod": "measured/a"}',
    '2026-01-01T00:00:00.650Z {"message": "start approved", "pod": "measured/a"}',
)  # fmt: skip
BEFORE = tuple(line.replace("2026-01-01T00:00", "2025-12-31T23:59") for line in (*OPERATOR, *PLUGIN))
"""A minute earlier, about a pod of the same name."""
CREATED = 1767225600.0
"""2026-01-01T00:00:00Z."""


def test_stages_are_told_apart_by_the_first_line_that_speaks_of_the_pod() -> None:
    """A pod whose name begins alike, a former one of the same name, and later lines of the same kind are not meant."""
    marks = stages.moments([*BEFORE, *OPERATOR, *PLUGIN], "measured/a", CREATED)
    taken = stages.milliseconds(CREATED, marks, CREATED + 0.7)
    assert taken == pytest.approx([110, 40, 500, 50], abs=0.01)


def test_a_mark_that_was_never_logged_is_an_error() -> None:
    """A stage cannot be guessed."""
    with pytest.raises(KeyError, match="start approved"):
        stages.moments([*BEFORE, *OPERATOR, *PLUGIN[:1]], "measured/a", CREATED)


def test_the_table_has_the_median_of_each_stage() -> None:
    """Of three starts."""
    printed = stages.table([[1, 2, 3, 4], [3, 2, 3, 9], [2, 2, 3, 5]])
    assert [line.split("|")[2].strip() for line in printed.splitlines()[2:]] == ["2", "2", "3", "5"]
