"""Segments of random programs: complete, in an order that can run, never more than a plain cut in program order."""

import itertools

import hypothesis
import hypothesis.strategies as st

from neuronspan_runtime.compiling.partitions import segments


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[set[int]], list[bool]]:
    devices = draw(st.lists(st.booleans(), max_size=12))
    dependencies = [draw(st.sets(st.integers(0, index - 1))) if index else set() for index in range(len(devices))]
    return dependencies, devices


@hypothesis.given(program=programs(), keep_order=st.booleans())
def test_segments_run_every_operation_once_on_its_device_after_what_it_needs(
    program: tuple[list[set[int]], list[bool]], keep_order: bool
) -> None:
    dependencies, devices = program
    found = segments.segments(dependencies, devices, keep_order=keep_order)
    order = [index for part in found for index in part.operations]
    assert sorted(order) == list(range(len(devices)))
    assert all(devices[index] == part.on_device for part in found for index in part.operations)
    assert all(order.index(other) < order.index(index) for index, others in enumerate(dependencies) for other in others)
    if keep_order:
        assert order == sorted(order)


@hypothesis.given(program=programs())
def test_segments_alternate_and_are_never_more_than_a_cut_in_program_order(
    program: tuple[list[set[int]], list[bool]],
) -> None:
    dependencies, devices = program
    found = segments.segments(dependencies, devices)
    changes = sum(before != after for before, after in itertools.pairwise(devices))
    assert len(found) <= changes + bool(devices)
