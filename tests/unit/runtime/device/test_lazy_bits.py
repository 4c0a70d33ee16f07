"""Tensors that are conjugated or negated only when they are read, and copies that torch itself never asks for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes

FIRST = "neuron:0"

untyped: Any = torch
"""torch, where it has no types of its own."""

Change = Callable[[torch.Tensor], torch.Tensor]

LAZY: list[Change] = [torch.conj, lambda values: values.conj().imag]
"""One that is conjugated when it is read, and one that is negated."""


def both(change: Change) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the change makes of the same values on the CPU and on the device."""
    host = torch.randn(4, 4, dtype=torch.complex64)
    return change(host), change(host.to(FIRST))


def compare(change: Change) -> None:
    expected, found = both(change)
    assert (found.device.type, found.is_conj(), found.is_neg()) == ("neuron", expected.is_conj(), expected.is_neg())
    assert torch.equal(found.cpu(), expected.resolve_conj().resolve_neg())


def composed(first: Change, second: Change) -> Change:
    return lambda values: second(first(values))


def views_stay_lazy() -> None:
    views: list[Change] = [
        lambda values: values.unfold(0, 2, 1), lambda values: values[1:, ::2], lambda values: values.t(),
        lambda values: values.view(16), lambda values: values.view(2, 8).select(1, 3), torch.Tensor.diagonal,
        lambda values: values.as_strided((2, 2), (1, 4)), lambda values: values.reshape(8, 2), torch.Tensor.detach,
        lambda values: values.unbind()[2], lambda values: values.split_with_sizes([1, 3])[1],
        lambda values: values.expand(2, 4, 4),
    ]  # fmt: skip
    for lazily in LAZY:
        for view in views:
            compare(composed(lazily, view))


def operators_of_others_may_return_lazy_views() -> None:
    """Such an operator has a kernel for the CPU only, which returns a view of what it was given."""
    library = untyped.library.Library("neuronspan_lazy_test", "DEF")
    for number, lazily in enumerate(LAZY):
        library.define(f"lazy_{number}(Tensor(a) x) -> Tensor(a)")
        library.impl(f"lazy_{number}", lazily, "CPU")
        operator = getattr(torch.ops.neuronspan_lazy_test, f"lazy_{number}")
        compare(operator)
        values = torch.randn(4, 4, dtype=torch.complex64, device=FIRST)
        assert operator(values).untyped_storage().data_ptr() == values.untyped_storage().data_ptr()


def copies_go_from_the_first_to_the_second() -> None:
    """`_copy_from` is what PyTorch asks of a backend; its own `copy_` calls ours without it."""
    host, there = torch.randn(3, 4), torch.randn(3, 4, device=FIRST)
    expected = host.clone()
    untyped._copy_from(host, there)
    assert torch.equal(there.cpu(), expected)
    assert torch.equal(host, expected)
    back = torch.zeros(3, 4)
    untyped._copy_from(there, back)
    assert torch.equal(back, expected)
    grown = torch.empty(0)
    untyped._copy_from_and_resize(there, grown)
    assert torch.equal(grown, expected)


@pytest.mark.parametrize(
    "scenario",
    [views_stay_lazy, operators_of_others_may_return_lazy_views, copies_go_from_the_first_to_the_second],
    ids=lambda scenario: scenario.__name__,
)
def test_lazy_bits(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
