"""The stress run's own judge: it must see a core that is owned twice."""

import json
import pathlib

import pytest

from stress import journal


def lines(*events: tuple[str, int]) -> list[dict[str, object]]:
    """A journal of process 7, which owns cores 2 and 3."""
    return [{"event": "born", "at": 0, "pid": 7}, *({"event": e, "at": at, "first": 2, "count": 2} for e, at in events)]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([("owns", 1), ("did", 4), ("gives", 5)], [(1, 5)], id="given-back"),
        pytest.param([("owns", 1), ("did", 4)], [(1, 4)], id="killed-after-its-last-line"),
        pytest.param([("owns", 3)], [(3, 3)], id="killed-at-once"),
        pytest.param([("refused", 1)], [], id="never-owned"),
        pytest.param([("owns", 1), ("gives", 2), ("owns", 5), ("did", 9)], [(1, 2), (5, 9)], id="owned-again"),
    ],
)
def test_journal_yields_what_was_surely_owned(events: list[tuple[str, int]], expected: list[tuple[int, int]]) -> None:
    found = list(journal.intervals_of(lines(*events)))
    assert [(interval.begin, interval.end) for interval in found] == expected
    assert all((interval.pid, interval.first, interval.count) == (7, 2, 2) for interval in found)


def test_journal_of_a_process_that_never_wrote_is_empty() -> None:
    assert list(journal.intervals_of([])) == []


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param((3, 1, 15, 25), 1, id="same-core-same-time"),
        pytest.param((1, 8, 20, 20), 1, id="around-it-at-its-last-moment"),
        pytest.param((4, 1, 15, 25), 0, id="next-core"),
        pytest.param((2, 2, 21, 30), 0, id="later"),
        pytest.param((0, 2, 0, 99), 0, id="cores-before-it"),
    ],
)
def test_journal_finds_cores_that_are_owned_twice(other: tuple[int, int, int, int], expected: int) -> None:
    one = journal.Interval(1, 2, 2, 10, 20)
    assert len(journal.conflicts([journal.Interval(2, *other), one])) == expected


@pytest.mark.parametrize(
    ("holders", "compared", "different"),
    [
        pytest.param({2: 7, 3: 7, 4: 9}, 2, 0, id="as-it-says"),
        pytest.param({2: 7, 3: 8}, 2, 1, id="somebody-else-s"),
        pytest.param({2: 7}, 2, 1, id="nobody-s"),
    ],
)
def test_journal_is_compared_with_the_kernel(holders: dict[int, int], compared: int, different: int) -> None:
    intervals = [journal.Interval(7, 2, 2, 10, 20), journal.Interval(9, 0, 1, 10, 14)]
    found = journal.contradictions(intervals, [journal.Snapshot(15, 16, holders), journal.Snapshot(19, 21, {})])
    assert (found[0], len(found[1])) == (compared, different)


def test_journal_leaves_out_the_line_that_a_kill_broke(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal"
    journal.Journal(path).write("born", pid=1)
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole[:9], encoding="utf-8")
    assert journal.lines_of(path) == [json.loads(whole)]
