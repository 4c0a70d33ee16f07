"""First fit against a model that is too simple to be wrong, and claims of many owners against bookkeeping."""

import hypothesis
import hypothesis.strategies as st
import pytest

from neuronspan import instance_types, spans
from neuronspan_runtime import errors
from neuronspan_runtime.cores import hardware, ownership, selection

CORES = 16
HARDWARE = instance_types.hardware_of("inf1.6xlarge")

counts = st.integers(1, CORES + 1)
cores = st.integers(0, CORES - 1)


@st.composite
def wishes(draw: st.DrawFn) -> selection.Wish:
    first = draw(cores)
    scope = spans.CoreSpan(first, draw(st.integers(1, CORES - first)))
    if draw(st.booleans()):
        low = draw(st.integers(scope.first, scope.last))
        exact = spans.CoreSpan(low, draw(st.integers(1, scope.end - low)))
        return selection.Wish(scope, exact, exact.count)
    return selection.Wish(scope, None, draw(counts))


def longest_run(free: set[int]) -> int:
    return max(
        (end - start for start in free for end in range(start, CORES + 1) if set(range(start, end)) <= free), default=0
    )


@hypothesis.given(asked=wishes(), free=st.sets(cores))
def test_choose_gives_the_lowest_free_run_or_the_length_of_the_longest(asked: selection.Wish, free: set[int]) -> None:
    fitting = [
        start
        for start in asked.searched
        if start + asked.count <= asked.searched.end and set(range(start, start + asked.count)) <= free
    ]
    chosen = selection.choose(asked, free)
    if fitting:
        assert chosen == spans.CoreSpan(fitting[0], asked.count)
    else:
        assert chosen == selection.Busy(longest_run(free & set(asked.searched)))


@hypothesis.given(asked=wishes(), free=st.sets(cores))
def test_skip_quirk_never_gives_a_taken_core_nor_a_run_that_first_fit_would_not_allow(
    asked: selection.Wish, free: set[int]
) -> None:
    quirky = selection.Wish(asked.scope, asked.exact, asked.count, skip_quirk=True)
    plain, chosen = selection.choose(asked, free), selection.choose(quirky, free)
    if isinstance(chosen, spans.CoreSpan):
        assert set(chosen) <= free & set(asked.searched)
        assert isinstance(plain, spans.CoreSpan)
        assert plain.first <= chosen.first
    else:
        assert chosen.longest < asked.count


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> hardware.Machine:
    directory = tmp_path_factory.mktemp("state")
    (directory / "cores").mkdir()
    return hardware.Machine(HARDWARE, directory, prepared=False, scope=spans.CoreSpan(0, CORES))


@hypothesis.given(steps=st.lists(st.one_of(wishes(), st.integers(0, 5)), max_size=12))
@hypothesis.settings(deadline=None, max_examples=60)
def test_claims_never_overlap_and_match_the_bookkeeping(
    machine: hardware.Machine, steps: list[selection.Wish | int]
) -> None:
    """A number releases that owner; kernel locks and a plain set of free cores must agree at every step."""
    owners: list[ownership.Claim] = []
    free = set(range(CORES))
    for step in steps:
        if isinstance(step, int):
            if owners:
                owner = owners.pop(step % len(owners))
                owner.release()
                free |= set(owner.span)
            continue
        expected = selection.choose(step, free)
        if isinstance(expected, selection.Busy):
            with pytest.raises(errors.StartRefused, match="could not be initialized"):
                ownership.claim(machine, step)
        else:
            owners.append(ownership.claim(machine, step))
            assert owners[-1].span == expected
            free -= set(expected)
    for owner in owners:
        owner.release()
