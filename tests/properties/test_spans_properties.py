import itertools

from hypothesis import given
from hypothesis import strategies as st

from neuronspan import errors, spans

SPANS = st.builds(spans.CoreSpan, st.integers(0, 200), st.integers(1, 64))


@given(SPANS)
def test_span_survives_print_and_parse(span: spans.CoreSpan) -> None:
    assert spans.CoreSpan.parse(str(span)) == span


@given(st.text(alphabet="0123456789-, ", max_size=8))
def test_span_text_is_read_as_printed_or_refused(text: str) -> None:
    """What is accepted means what it says: the numbers of the text are the ends of the span."""
    try:
        span = spans.CoreSpan.parse(text)
    except errors.InvalidSpan:
        return
    assert [int(part) for part in text.split("-")] in ([span.first], [span.first, span.last])


@given(st.data(), SPANS, st.integers(0, 3))
def test_span_is_rebuilt_from_its_cores_in_any_order(data: st.DataObject, span: spans.CoreSpan, extra: int) -> None:
    cores = data.draw(st.permutations(list(span) + list(span)[:extra]))
    assert spans.CoreSpan.of_cores(cores) == span


@given(st.sets(st.integers(0, 24), min_size=1))
def test_span_of_cores_is_exactly_the_cores_or_names_a_gap(cores: set[int]) -> None:
    try:
        span = spans.CoreSpan.of_cores(cores)
    except errors.NotContiguous as error:
        missing = set(spans.CoreSpan.parse(error.missing))
        assert not missing & cores
        assert min(cores) < min(missing)
        assert {min(missing) - 1, max(missing) + 1} <= cores
        return
    assert set(span) == cores


@given(SPANS, SPANS)
def test_span_comparisons_agree_with_sets_of_cores(one: spans.CoreSpan, other: spans.CoreSpan) -> None:
    assert one.overlaps(other) == bool(set(one) & set(other))
    assert one.contains(other) == (set(one) >= set(other))
    assert (one < other) == ((one.first, one.count) < (other.first, other.count))


@given(SPANS, st.integers(-300, 300))
def test_span_shift_moves_every_core_or_is_refused(span: spans.CoreSpan, by: int) -> None:
    try:
        shifted = span.shifted(by)
    except errors.InvalidSpan:
        assert span.first + by < 0
        return
    assert list(shifted) == [core + by for core in span]


@given(st.integers(0, 128), st.lists(st.builds(spans.CoreSpan, st.integers(0, 140), st.integers(1, 20)), max_size=12))
def test_free_runs_are_maximal_and_partition_the_range(total: int, taken: list[spans.CoreSpan]) -> None:
    runs = spans.free_runs(total, taken)
    occupied = {core for span in taken for core in span if core < total}
    free = [core for run in runs for core in run]
    assert free == sorted(set(range(total)) - occupied)
    assert all(before.end < after.first for before, after in itertools.pairwise(runs))


@given(st.integers(0, 128), st.lists(SPANS, max_size=8))
def test_free_runs_of_the_free_runs_are_what_was_taken(total: int, taken: list[spans.CoreSpan]) -> None:
    runs = spans.free_runs(total, taken)
    assert spans.free_runs(total, spans.free_runs(total, runs)) == runs
