"""The checker of performance limits, on numbers that are given."""

import dataclasses
import pathlib

import pytest

from performance import checking

CALLS = checking.Limit("traced_call", "small", "small call", "", at_most=1.3, aim=1.1)
SPEED = checking.Limit("replicas", "gain", "two replicas / one", "", statistic="greatest", at_least=1.8)
INFORMATION = checking.Limit("replicas", "machine", "the machine", "")


@pytest.mark.parametrize(
    ("limit", "value", "holds"),
    [(CALLS, 1.3, True), (CALLS, 1.31, False), (SPEED, 1.8, True), (SPEED, 1.79, False), (INFORMATION, 99.0, True)],
)
def test_a_limit_holds_up_to_its_bound(limit: checking.Limit, value: float, *, holds: bool) -> None:
    assert limit.holds(value) is holds


@pytest.mark.parametrize(("statistic", "value"), [("median", 2.0), ("least", 1.0), ("greatest", 6.0)])
def test_the_judged_value_is_the_limits_statistic(statistic: str, value: float) -> None:
    summary = checking.measured([6.0, 1.0, 2.0], statistic)
    assert (summary.value, summary.mean, summary.rounds) == (value, 3.0, 3)
    assert (summary.least, summary.greatest) == (1.0, 6.0)
    assert summary.deviation == pytest.approx(2.646)
    assert summary.cv == pytest.approx(0.8819)


def test_one_round_has_no_deviation() -> None:
    assert checking.measured([0.0], "median") == checking.Measured(0.0, 0.0, 0.0, 0.0, 1, 0.0, 0.0)


def test_only_measured_entries_can_miss() -> None:
    entries = [
        checking.Entry(CALLS, checking.measured([1.5], "median")),
        checking.Entry(SPEED, checking.measured([2.0], "greatest")),
        checking.Entry(CALLS, None),
    ]
    assert checking.missed(entries) == entries[:1]


def test_the_table_names_what_was_missed() -> None:
    entries = [checking.Entry(CALLS, checking.measured([1.5], "median")), checking.Entry(INFORMATION, None)]
    lines = checking.table(entries).splitlines()
    assert lines[2] == "| small call | ≤ 1.3 | 1.1 | 1.5 (median) | 1.5 … 1.5 | 1.5 ± 0 | 1 | **missed** |"
    assert lines[3].startswith("| the machine |")
    assert len({line.count("|") for line in lines}) == 1


def test_numbers_that_were_recorded_without_extremes_have_none_in_the_table() -> None:
    old = checking.Measured(1.1, 1.1, 0.0, 0.0, rounds=3)
    line = checking.table([checking.Entry(CALLS, old)]).splitlines()[2]
    assert line == "| small call | ≤ 1.3 | 1.1 | 1.1 (median) |  | 1.1 ± 0 | 3 | kept |"


@pytest.mark.parametrize(
    ("word", "cases"),
    [
        ("planner", ["planner"]),
        ("cluster", ["cluster_100", "cluster_1000"]),
        ("clust", []),
        ("cluster_100", ["cluster_100"]),
    ],
)
def test_a_word_names_a_case_or_all_that_begin_with_it(word: str, cases: list[str]) -> None:
    known = ["planner", "planner_steps", "cluster_100", "cluster_1000"]
    assert checking.named(word, known) == cases


def test_the_data_file_reads_back_as_it_was_written(tmp_path: pathlib.Path) -> None:
    entries = [checking.Entry(CALLS, checking.measured([1.1, 1.2], "median")), checking.Entry(INFORMATION, None)]
    path = tmp_path / "limits.yaml"
    path.write_text(checking.written(entries), encoding="utf-8")
    assert checking.read(path) == entries


def test_every_quantity_of_the_data_file_is_there_once_and_its_case_exists() -> None:
    limits = [entry.limit for entry in checking.read()]
    assert len({(limit.case, limit.quantity) for limit in limits}) == len(limits)
    cases = {path.stem for path in (checking.DATA.parent / "cases").glob("[a-z]*.py")}
    assert {limit.case for limit in limits} == cases
    assert all(dataclasses.asdict(limit)["statistic"] in checking.STATISTICS for limit in limits)
