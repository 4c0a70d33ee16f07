import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronspan import errors, spans, visible_cores

SIZES = st.lists(st.integers(1, 32), min_size=1, max_size=16).map(tuple)


@st.composite
def written_spans(draw: st.DrawFn) -> tuple[str, spans.CoreSpan]:
    """Return a span and one of the ways to write it: cut anywhere, each piece an index, a range or a list."""
    span = spans.CoreSpan(draw(st.integers(0, 100)), draw(st.integers(1, 28)))
    cuts = draw(st.sets(st.integers(span.first + 1, span.last), max_size=6)) if span.count > 1 else set()
    edges = [span.first, *sorted(cuts), span.end]
    pieces = []
    for first, end in itertools.pairwise(edges):
        ranged = draw(st.booleans())
        pieces.append(f"{first}-{end - 1}" if ranged else ",".join(map(str, range(first, end))))
    return ",".join(pieces), span


@given(written_spans())
def test_visible_cores_mean_the_same_however_they_are_written(written: tuple[str, spans.CoreSpan]) -> None:
    text, span = written
    assert visible_cores.parse_visible_cores(text, 128) == span


@given(written_spans(), st.integers(1, 128))
def test_visible_cores_are_refused_exactly_when_one_does_not_exist(
    written: tuple[str, spans.CoreSpan], limit: int
) -> None:
    text, span = written
    try:
        accepted = visible_cores.parse_visible_cores(text, limit).last < limit
    except errors.InvalidCoreSet:
        accepted = False
    assert accepted == (span.last < limit)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=8))
def test_visible_cores_are_accepted_exactly_when_they_increase_by_one(cores: list[int]) -> None:
    text = ",".join(map(str, cores))
    if cores == list(range(cores[0], cores[0] + len(cores))):
        assert list(visible_cores.parse_visible_cores(text, 16)) == cores
        return
    with pytest.raises(errors.InvalidCoreSet) as caught:
        visible_cores.parse_visible_cores(text, 16)
    assert caught.value.text.endswith("Neuron cores are not contiguous")


@given(st.text(alphabet="0123456789-,x :\n", max_size=12) | st.text(max_size=6))
def test_values_are_read_or_refused_but_never_crash(text: str) -> None:
    """Whatever a user writes into the environment ends in a value or in the runtime's own words."""
    readers: list[Callable[[], bool]] = [
        lambda: visible_cores.parse_visible_cores(text, 32).end <= 32,
        lambda: visible_cores.parse_num_cores(text) >= 0,
        lambda: min(visible_cores.parse_group_sizes(text)) >= 1,
    ]
    for read in readers:
        assert outcome(read) in {"read", "refused in the runtime's words"}


def outcome(read: Callable[[], bool]) -> str:
    try:
        return "read" if read() else "read, but wrong"
    except errors.InvalidCoreSet as error:
        in_its_words = error.text and error.status == visible_cores.STATUS_INVALID
        return "refused in the runtime's words" if in_its_words else "refused without words"


@given(st.builds(spans.CoreSpan, st.integers(0, 60), st.integers(1, 4)), st.integers(0, 128), SIZES)
def test_values_survive_print_and_parse(span: spans.CoreSpan, count: int, sizes: tuple[int, ...]) -> None:
    assert visible_cores.parse_visible_cores(visible_cores.print_visible_cores(span), 64) == span
    assert visible_cores.parse_num_cores(visible_cores.print_num_cores(count)) == count
    assert visible_cores.parse_group_sizes(",".join(map(str, sizes))) == sizes


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=6))
def test_group_sizes_with_repeats_are_the_written_out_list(groups: list[tuple[int, int]]) -> None:
    short = ",".join(f"{repeat}x{size}" for repeat, size in groups)
    long = ",".join(",".join([str(size)] * repeat) for repeat, size in groups)
    assert visible_cores.parse_group_sizes(short) == visible_cores.parse_group_sizes(long)
