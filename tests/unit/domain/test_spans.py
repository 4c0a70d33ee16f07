from typing import Any

import pytest

from kits.manifests import domain
from neuronspan import errors, spans


@pytest.mark.parametrize(
    ("first", "count", "text"),
    [
        (-1, 1, "first core of a span is -1: give a whole number of at least 0"),
        (True, 1, "first core of a span is True: give a whole number of at least 0"),
        ("4", 1, "first core of a span is '4': give a whole number of at least 0"),
        (1.0, 1, "first core of a span is 1.0: give a whole number of at least 0"),
        (0, 0, "number of cores of a span is 0: give a whole number of at least 1"),
        (0, -2, "number of cores of a span is -2: give a whole number of at least 1"),
        (0, None, "number of cores of a span is None: give a whole number of at least 1"),
        (0, True, "number of cores of a span is True: give a whole number of at least 1"),
    ],
)
def test_span_refuses_what_is_not_a_run(first: Any, count: Any, text: str) -> None:
    with pytest.raises(errors.InvalidSpan) as caught:
        spans.CoreSpan(first, count)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("text", "first", "count"),
    [("4-7", 4, 4), ("4", 4, 1), ("0", 0, 1), ("0-31", 0, 32), ("4-4", 4, 1), ("120-127", 120, 8)],
)
def test_span_is_read_from_text(text: str, first: int, count: int) -> None:
    assert spans.CoreSpan.parse(text) == spans.CoreSpan(first, count)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "write it like 4 or 4-7"),
        ("4,5", "write it like 4 or 4-7"),
        ("-4", "write it like 4 or 4-7"),
        ("4-", "write it like 4 or 4-7"),
        (" 4", "write it like 4 or 4-7"),
        ("4\n", "write it like 4 or 4-7"),
        ("a", "write it like 4 or 4-7"),
        ("٤", "write it like 4 or 4-7"),
        ("1234567890", "write it like 4 or 4-7"),
        ("7-4", "ends before it starts: write 4-7"),
    ],
)
def test_span_text_is_refused_with_the_way_out(text: str, problem: str) -> None:
    with pytest.raises(errors.InvalidSpan, match=problem) as caught:
        spans.CoreSpan.parse(text)
    assert repr(text) in str(caught.value)


def test_span_knows_its_ends() -> None:
    span = spans.CoreSpan(4, 4)
    assert (span.first, span.last, span.end, span.cores) == (4, 7, 8, range(4, 8))
    assert list(span) == [4, 5, 6, 7]
    assert len(span) == 4
    assert 7 in span
    assert 8 not in span
    assert "7" not in span


@pytest.mark.parametrize(
    ("one", "other", "overlap", "contained"),
    [
        ("4-7", "4-7", True, True),
        ("4-7", "5-6", True, True),
        ("4-7", "7-9", True, False),
        ("4-7", "0-4", True, False),
        ("4-7", "8-9", False, False),
        ("4-7", "0-3", False, False),
        ("5-6", "4-7", True, False),
    ],
)
def test_span_compares_with_another(one: str, other: str, overlap: bool, contained: bool) -> None:
    a, b = domain.span(one), domain.span(other)
    assert a.overlaps(b) is overlap
    assert b.overlaps(a) is overlap
    assert a.contains(b) is contained


def test_span_is_ordered_by_first_core() -> None:
    assert sorted(domain.spans_of("8-9 0-3 0 4")) == list(domain.spans_of("0 0-3 4 8-9"))


def test_span_shifts_both_ways() -> None:
    assert domain.span("4-7").shifted(2) == domain.span("6-9")
    assert domain.span("4-7").shifted(-4) == domain.span("0-3")
    with pytest.raises(errors.InvalidSpan, match="first core of a span is -1"):
        domain.span("4-7").shifted(-5)


@pytest.mark.parametrize(
    "cores", [[4, 5, 6, 7], [7, 5, 4, 6], [4, 4, 5, 7, 6, 7]], ids=["ordered", "shuffled", "twice"]
)
def test_span_of_cores_ignores_order_and_repetition(cores: list[int]) -> None:
    assert spans.CoreSpan.of_cores(cores) == domain.span("4-7")


@pytest.mark.parametrize(
    ("cores", "missing", "text"),
    [
        ([3, 5, 6], "4", "cores 3, 5, 6 are not contiguous: 4 is missing between 3 and 5"),
        ([9, 2, 3], "4-8", "cores 2, 3, 9 are not contiguous: 4-8 is missing between 3 and 9"),
    ],
)
def test_span_of_cores_names_the_first_gap(cores: list[int], missing: str, text: str) -> None:
    with pytest.raises(errors.NotContiguous) as caught:
        spans.CoreSpan.of_cores(cores)
    assert caught.value.missing == missing
    assert str(caught.value) == f"{text}; give one run of consecutive cores"


def test_span_of_no_cores_is_refused() -> None:
    with pytest.raises(errors.InvalidSpan, match="a span has at least one core"):
        spans.CoreSpan.of_cores([])


@pytest.mark.parametrize(
    ("total", "taken", "free"),
    [
        (8, "", "0-7"),
        (0, "", ""),
        (8, "0-7", ""),
        (8, "2-3", "0-1 4-7"),
        (8, "6-7 0-1", "2-5"),
        (8, "2-4 3-5", "0-1 6-7"),
        (8, "1 3 5 7", "0 2 4 6"),
        (8, "6-20", "0-5"),
        (8, "12-20", "0-7"),
        (8, "0-5 2", "6-7"),
    ],
)
def test_free_runs_are_what_is_left(total: int, taken: str, free: str) -> None:
    assert spans.free_runs(total, domain.spans_of(taken)) == domain.spans_of(free)


def test_free_runs_refuses_a_negative_total() -> None:
    with pytest.raises(errors.InvalidSpan, match="a node cannot have -1 cores: give 0 or more"):
        spans.free_runs(-1, ())
