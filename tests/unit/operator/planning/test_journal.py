"""Readers of the journal learn what changed since they looked, or that they have to look at everything."""

import pytest

from neuronspan_operator.planning import journal


def test_reader_learns_each_change_since_it_looked_once() -> None:
    changes: journal.Journal[str] = journal.Journal()
    changes.note("w1")
    position = changes.position
    for name in ("w3", "w2", "w3"):
        changes.note(name)
    assert list(changes.since(position) or ()) == ["w3", "w2"]
    assert changes.since(changes.position) == {}


def test_reader_that_missed_more_than_is_kept_has_to_look_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEPT", 3)
    changes: journal.Journal[str] = journal.Journal()
    for number in range(7):
        changes.note(f"w{number}")
    assert changes.position == 7
    assert changes.since(3) is None
    assert list(changes.since(4) or ()) == ["w4", "w5", "w6"]
