import itertools
import re
from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from neuronspan import instance_types, placement, spans, topologies
from neuronspan.fitting import places, windows

PACKINGS = st.sampled_from(placement.Packing)


TORUS = topologies.Topology.TORUS


def hardware(devices: int, cores_per_device: int, topology: topologies.Topology) -> instance_types.Hardware:
    return instance_types.Hardware("test", devices, cores_per_device, 1, 1, topology)


@st.composite
def nodes(draw: st.DrawFn, most_devices: int = 8) -> tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]]:
    """Return a node and the spans taken on it: disjoint, in any order."""
    topology = draw(st.sampled_from(topologies.Topology))
    devices = draw(st.sampled_from([4, 16]) if topology is TORUS else st.integers(1, most_devices))
    node = hardware(devices, draw(st.sampled_from([1, 2] if devices == 16 else [1, 2, 4])), topology)
    occupied = draw(st.lists(st.booleans(), min_size=node.cores, max_size=node.cores))
    taken = spans.free_runs(node.cores, (spans.CoreSpan(core, 1) for core, used in enumerate(occupied) if not used))
    return node, tuple(draw(st.permutations(taken)))


def requests(most: int) -> st.SearchStrategy[placement.Request]:
    return st.builds(
        placement.Request,
        count=st.integers(1, most),
        align=st.sampled_from(placement.Alignment),
        first=st.none() | st.integers(0, most),
        device_counts=st.sampled_from(placement.DeviceCounts),
    )


def are_connected(node: instance_types.Hardware, devices: Sequence[int]) -> bool:
    """Whether marks that spread along links, a step per device, reach all devices from the first: the oracle."""
    marked = {devices[0]}
    for _ in devices:
        marked |= {other for each in marked for other in node.connected_to(each)} & set(devices)
    return marked == set(devices)


def is_of_a_number_that_aws_gives(node: instance_types.Hardware, span: spans.CoreSpan) -> bool:
    """Whether the span is in one device, or 1, 4, 8 or 16 whole ones in their own block."""
    touched, whole = node.devices_of(span), node.cores_per_device
    if span.count < whole:
        return len(touched) == 1
    return len(touched) in {1, 4, 8, 16} and span.count == len(touched) * whole and span.first % span.count == 0


def is_allowed(node: instance_types.Hardware, request: placement.Request, span: spans.CoreSpan) -> bool:
    """Whether the links and numbers of devices are those that are asked for."""
    linked = request.align is not placement.Alignment.LINK or are_connected(node, node.devices_of(span))
    counts = request.device_counts is placement.DeviceCounts.AWS and node.topology is TORUS
    return linked and (not counts or is_of_a_number_that_aws_gives(node, span))


def is_legal(
    node: instance_types.Hardware,
    taken: Sequence[spans.CoreSpan],
    request: placement.Request,
    span: spans.CoreSpan,
) -> bool:
    step = 1 if request.align is placement.Alignment.NONE else node.cores_per_device
    return (
        span.count == request.count
        and span.end <= node.cores
        and span.first % step == 0
        and request.first in {None, span.first}
        and not any(span.overlaps(other) for other in taken)
        and is_allowed(node, request, span)
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
    possible = list(every_place(node, taken, request))
    answer = places.place(node, taken, request, packing)
    if isinstance(answer, placement.Unplaceable):
        assert not possible
        free = spans.free_runs(node.cores, taken)
        assert answer.largest_free_run == max((run.count for run in free), default=0)
    else:
        assert answer in possible


@given(nodes(), st.integers(1, 12), st.sampled_from(placement.Alignment), st.sampled_from(placement.DeviceCounts))
def test_place_uses_the_hole_its_policy_names(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    count: int,
    align: placement.Alignment,
    device_counts: placement.DeviceCounts,
) -> None:
    node, taken = node_and_taken
    request = placement.Request(count, align, device_counts=device_counts)
    possible = list(every_place(node, taken, request))
    answers = {packing: places.place(node, taken, request, packing) for packing in placement.Packing}
    if not possible:
        assert all(isinstance(answer, placement.Unplaceable) for answer in answers.values())
        return
    holes = [hole_around(node, taken, place).count for place in possible]
    best, worst = answers[placement.Packing.BEST_FIT], answers[placement.Packing.WORST_FIT]
    assert isinstance(best, spans.CoreSpan)
    assert isinstance(worst, spans.CoreSpan)
    assert answers[placement.Packing.FIRST_FIT] == possible[0]
    assert hole_around(node, taken, best).count == min(holes)
    assert hole_around(node, taken, worst).count == max(holes)
    assert best == possible[holes.index(min(holes))]
    assert worst == possible[holes.index(max(holes))]


@given(nodes(), requests(40), PACKINGS)
def test_place_advice_can_be_followed(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    """What a refusal says would fit does fit, and nothing else of whole devices, or no larger number of cores, does."""
    node, taken = node_and_taken
    answer = places.place(node, taken, request, packing)
    if not isinstance(answer, placement.Unplaceable):
        return
    _, _, advice = answer.message.partition("what would fit now: ")
    numbers, step = list(map(int, re.findall(r"\d+", advice))), 1
    if advice.startswith("up to"):
        numbers = list(range(1, numbers[0] + 1))
    elif "devices of" in advice:
        numbers, step = [number * numbers[-1] for number in numbers[:-1]], numbers[-1]
    for count in range(step, node.cores + 1, step):
        other = placement.Request(count, request.align, device_counts=request.device_counts)
        assert isinstance(places.place(node, taken, other, packing), spans.CoreSpan) == (count in numbers)


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
    answer = places.place_all(node, taken, wanted, packing)
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
    alone = places.place(node, taken, request, packing)
    expected = alone if isinstance(alone, placement.Unplaceable) else (alone,)
    assert places.place_all(node, taken, [request], packing) == expected


@given(nodes(), requests(12), PACKINGS)
def test_place_does_not_depend_on_the_order_of_what_is_taken(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    request: placement.Request,
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    assert places.place(node, taken, request, packing) == places.place(node, sorted(taken), request, packing)


@given(nodes(), st.lists(requests(12), max_size=4), PACKINGS)
def test_find_all_is_place_all_without_the_words(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    wanted: list[placement.Request],
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    said = places.place_all(node, taken, wanted, packing)
    found = places.find_all(node, taken, wanted, packing)
    assert found == (None if isinstance(said, placement.Unplaceable) else said)


@given(nodes(), st.lists(requests(12), max_size=4), PACKINGS)
def test_place_all_depends_on_which_cores_are_taken_and_not_on_how_that_is_said(
    node_and_taken: tuple[instance_types.Hardware, tuple[spans.CoreSpan, ...]],
    wanted: list[placement.Request],
    packing: placement.Packing,
) -> None:
    node, taken = node_and_taken
    core_by_core = [spans.CoreSpan(core, 1) for span in taken for core in span]
    overlapping = [*core_by_core, *taken, spans.CoreSpan(node.cores, 3)]
    expected = places.place_all(node, taken, wanted, packing)
    assert places.place_all(node, core_by_core, wanted, packing) == expected
    assert places.place_all(node, overlapping, wanted, packing) == expected


@given(st.sets(st.integers(0, 140)), st.integers(1, 12))
def test_sets_of_cores_as_integers_are_what_spans_say(cores: set[int], count: int) -> None:
    as_bits = windows.bits(cores)
    free = spans.free_runs(141, (spans.CoreSpan(core, 1) for core in set(range(141)) - cores))
    assert list(windows.members(as_bits)) == sorted(cores)
    assert [spans.CoreSpan(*run) for run in windows.runs(as_bits)] == list(free)
    starts = [core for core in range(141) if set(range(core, core + count)) <= cores]
    assert list(windows.members(windows.starts_in(as_bits, count))) == starts
    assert windows.free_cores(141, (spans.CoreSpan(core, 1) for core in cores)) == (1 << 141) - 1 & ~as_bits
