import itertools
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from neuronspan import instance_types, placement, spans

PACKINGS = st.sampled_from(placement.Packing)


def hardware(devices: int, cores_per_device: int) -> instance_types.Hardware:
    return instance_types.Hardware("test", devices, cores_per_device, 1, 1, instance_types.Topology.NONE)


@st.composite
def nodes(draw: st.DrawFn, most_devices: int = 8) -> tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]]:
    """Return a node and the spans taken on it: disjoint, in any order."""
    node = hardware(draw(st.integers(1, most_devices)), draw(st.sampled_from([1, 2, 4])))
    occupied = draw(st.lists(st.booleans(), min_size=node.cores, max_size=node.cores))
    taken = spans.free_runs(node.cores, (spans.CoreSpan(core, 1) for core, used in enumerate(occupied) if not used))
    return node, tuple(draw(st.permutations(taken)))


def requests(most: int) -> st.SearchStrategy[placement.Request]:
    return st.builds(
        placement.Request,
        count=st.integers(1, most),
        align=st.sampled_from(placement.Alignment),
        first=st.none() | st.integers(0, most),
    )


def is_legal(
    node: instance_types.Hardware,
    taken: Sequence[spans.CoreSpan],
    request: placement.Request,
    span: spans.CoreSpan,
) -> bool:
    step = node.cores_per_device if request.align is placement.Alignment.DEVICE else 1
    return (
        span.count == request.count
        and span.end <= node.cores
        and span.first % step == 0
        and request.first in {None, span.first}
        and not any(span.overlaps(other) for other in taken)
    )


def every_place(
    node: instance_types.Hardware, taken: Sequence[spans.CoreSpan], request: placement.Request
) -> Iterator[spans.CoreSpan]:
    """Return every legal place, by trying each core: the oracle."""
    for first in range(node.cores):
        span = spans.CoreSpan(first, request.count)
        if is_legal(node, taken, request, span):
            yield span


def hole_around(node: instance_types.Hardware, taken: Sequence[spans.CoreSpan], span: spans.CoreSpan) -> spans.CoreSpan:
    return next(run for run in spans.free_runs(node.cores, taken) if run.contains(span))


@given(nodes(), requests(36), PACKINGS)
def test_place_answers_legally_and_refuses_only_what_has_no_place(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    places = list(every_place(node, taken, request))
    answer = placement.place(node, taken, request, packing)
    if isinstance(answer, placement.Unplaceable):
        assert not places
        free = spans.free_runs(node.cores, taken)
        assert answer.largest_free_run == max((run.count for run in free), default=0)
    else:
        assert answer in places


@given(nodes(), st.integers(1, 12), st.sampled_from(placement.Alignment))
def test_place_uses_the_hole_its_policy_names(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    count: int,
    align: placement.Alignment,
) -> None:
    node, taken = node_and_taken
    request = placement.Request(count, align)
    places = list(every_place(node, taken, request))
    answers = {packing: placement.place(node, taken, request, packing) for packing in placement.Packing}
    if not places:
        assert all(isinstance(answer, placement.Unplaceable) for answer in answers.values())
        return
    holes = [hole_around(node, taken, place).count for place in places]
    best, worst = answers[placement.Packing.BEST_FIT], answers[placement.Packing.WORST_FIT]
    assert isinstance(best, spans.CoreSpan)
    assert isinstance(worst, spans.CoreSpan)
    assert answers[placement.Packing.FIRST_FIT] == places[0]
    assert hole_around(node, taken, best).count == min(holes)
    assert hole_around(node, taken, worst).count == max(holes)
    assert best == places[holes.index(min(holes))]
    assert worst == places[holes.index(max(holes))]


@given(nodes(), requests(40), PACKINGS)
def test_place_advice_can_be_followed(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    """What a refusal says would fit does fit, and one core more does not."""
    node, taken = node_and_taken
    answer = placement.place(node, taken, request, packing)
    if not isinstance(answer, placement.Unplaceable):
        return
    _, found, advice = answer.message.partition("what would fit now: up to ")
    fitting = int(advice.split()[0]) if found else 0
    for count in range(1, node.cores + 1):
        smaller = placement.place(node, taken, placement.Request(count, request.align), packing)
        assert isinstance(smaller, spans.CoreSpan) == (count <= fitting)


def together(
    node: instance_types.Hardware, taken: tuple[spans.CoreSpan, ...], wanted: Sequence[placement.Request]
) -> bool:
    """Whether the requests fit together, by trying every place of every request: the oracle."""
    if not wanted:
        return True
    return any(together(node, (*taken, span), wanted[1:]) for span in every_place(node, taken, wanted[0]))


@given(nodes(most_devices=4), st.lists(requests(6), max_size=4), PACKINGS)
def test_place_all_places_everyone_or_no_one(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    wanted: list[placement.Request],
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    answer = placement.place_all(node, taken, wanted, packing)
    if isinstance(answer, placement.Unplaceable):
        assert not together(node, taken, wanted)
        return
    assert len(answer) == len(wanted)
    assert all(is_legal(node, taken, request, span) for request, span in zip(wanted, answer, strict=True))
    assert not any(a.overlaps(b) for a, b in itertools.combinations(answer, 2))


@given(nodes(), requests(12), PACKINGS)
def test_place_all_of_one_is_place(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    alone = placement.place(node, taken, request, packing)
    expected = alone if isinstance(alone, placement.Unplaceable) else (alone,)
    assert placement.place_all(node, taken, [request], packing) == expected


@given(nodes(), requests(12), PACKINGS)
def test_place_does_not_depend_on_the_order_of_what_is_taken(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    assert placement.place(node, taken, request, packing) == placement.place(node, sorted(taken), request, packing)
