"""Random programs that write in place wherever they can: recorded, every call is the first, and writes nothing."""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronspan_runtime.compiling import tracing

SIZE = 4
CALLS = 3

Step = tuple[int, int, int]
"""Which operation, and the two values it takes, counted from the newest."""


def _set_row(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    one[2] = other[1].clone()
    return one


OPERATIONS: tuple[Callable[[torch.Tensor, torch.Tensor], torch.Tensor], ...] = (
    lambda one, other: one + other,
    lambda one, other: torch.relu(one - 1) * 0.5 + other.abs(),
    lambda one, _: one.t(),
    lambda one, _: one[1:3, :2].repeat(2, 2),
    lambda one, _: one.reshape(SIZE * SIZE).view(SIZE, SIZE),
    lambda one, _: one.contiguous(),
    lambda one, other: one.to(other.dtype),
    lambda one, _: one.chunk(2)[0].expand(2, 2, SIZE).reshape(SIZE, SIZE),
    lambda one, other: torch.stack([one, other]).mean(0),
    lambda one, _: one.add_(1),
    lambda one, other: one.mul_(0.5).sub_(other.detach().clone()),
    lambda one, _: one.t()[:2].fill_(2.0).repeat(2, 1),
    lambda one, _: one.clamp_(-3, 3),
    lambda one, _: one.chunk(2)[1].mul_(2).repeat(2, 1),
    lambda one, other: one.copy_(other.clone()),
    _set_row,
    lambda one, _: torch.add(one, 1, out=one),
)


@dataclasses.dataclass(frozen=True)
class Program:
    """Steps over an input, three buffers, of which two share bytes, a list's tensor, and what the steps made."""

    steps: tuple[Step, ...]

    def module(self) -> torch.nn.Module:
        """Make it; the same each time."""
        return _Module(self.steps)


class _Module(torch.nn.Module):
    def __init__(self, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.steps = steps
        both = torch.arange(float(2 * SIZE * SIZE)).reshape(2 * SIZE, SIZE) / 10
        self.register_buffer("alone", torch.ones(SIZE, SIZE))
        self.register_buffer("above", both[:SIZE])
        self.register_buffer("amid", both[2 : 2 + SIZE])
        self.plain = [torch.full((SIZE, SIZE), 0.25)]

    def forward(self, values: torch.Tensor) -> Any:
        known = [values, *self.buffers(), self.plain[0]]
        for operation, one, other in self.steps:
            known.append(OPERATIONS[operation](known[-1 - one % len(known)], known[-1 - other % len(known)]))
        nothing = values.sum() * 0  # torch's recorder refuses an output that does not depend on an input
        return tuple(one + nothing for one in known[-3:])

    def held(self) -> list[torch.Tensor]:
        """Copies of all that it holds."""
        return [one.clone() for one in (*self.buffers(), *self.plain)]


programs = st.builds(
    Program,
    st.lists(
        st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=8
    ).map(tuple),
)


@given(programs, st.integers(0, 3))
@settings(max_examples=120, deadline=None)
def test_every_call_of_a_recorded_program_is_the_first(program: Program, seed: int) -> None:
    example = torch.linspace(-1, 1, SIZE * SIZE).reshape(SIZE, SIZE)
    model: Any = program.module()
    held = model.held()
    traced = tracing.trace_for_host(model, example)
    assert torch.equal(example, torch.linspace(-1, 1, SIZE * SIZE).reshape(SIZE, SIZE))
    assert all(map(torch.equal, model.held(), held))
    values = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    kept = values.clone()
    expected = program.module()(values.clone())
    for _ in range(CALLS):
        assert all(map(torch.equal, traced(values), expected)), traced.inlined_graph
        assert torch.equal(values, kept)
    assert all(map(torch.equal, model.held(), held))
