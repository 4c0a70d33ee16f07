"""What an operator returns: computed by the CPU's kernel, and a tensor of the device in every respect."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from neuronspan_runtime.device import device_module

FIRST = "neuron:0"
PAGE = 4096

untyped: Any = torch
"""torch, where it has no types of its own."""


def results_are_tensors_of_the_device() -> None:
    operand = torch.arange(6.0).reshape(2, 3).t()
    with torch.no_grad():
        expected, made = operand + operand, operand.to(FIRST) + operand.to(FIRST)
    assert made.untyped_storage().device == made.device == torch.device(FIRST)
    assert (made.shape, made.stride(), made._version, made.is_leaf) == (expected.shape, expected.stride(), 0, True)
    assert str(made.cpu()) == str(expected)
    made.resize_(64, 64)  # its storage grows where it is
    assert made.untyped_storage().nbytes() == 64 * 64 * 4
    assert made.fill_(1).requires_grad_().sum().device == made.device


def every_result_is_charged_once() -> None:
    operand = torch.ones(2, device=FIRST)
    before = device_module.memory_allocated(0)
    results = [operand + operand, operand.relu(), torch.stack([operand, operand]), *torch.aminmax(operand)]
    assert device_module.memory_allocated(0) - before == len(results) * PAGE
    del results
    gc.collect()
    assert device_module.memory_allocated(0) == before


def results_that_somebody_else_holds_are_copied() -> None:
    kept = torch.arange(3.0)
    view = kept[1:]
    library = untyped.library.Library("neuronspan_kept", "DEF")
    library.define("kept(Tensor x) -> Tensor")
    library.define("view(Tensor x) -> Tensor")
    library.impl("kept", lambda _: kept, "CPU")
    library.impl("view", lambda _: view, "CPU")
    operand = torch.ones(1, device=FIRST)
    for operator, original in ((untyped.ops.neuronspan_kept.kept, kept), (untyped.ops.neuronspan_kept.view, view)):
        made = operator(operand)
        assert made.device == torch.device(FIRST)
        assert original.device == torch.device("cpu")
        made.zero_()
        assert original.sum().item() == 3


def operators_of_others_are_given_whole_tensors() -> None:
    """Whoever writes a kernel may count versions and ask for gradients; torch's own kernels do neither."""
    library = untyped.library.Library("neuronspan_whole", "DEF")
    library.define("whole(Tensor x) -> Tensor")
    seen: list[tuple[bool, int]] = []

    def whole(x: torch.Tensor) -> torch.Tensor:
        seen.append((x.is_inference(), x._version))
        return x.detach().requires_grad_().clone().detach()

    library.impl("whole", whole, "CPU")
    made = untyped.ops.neuronspan_whole.whole(torch.ones(2, device=FIRST))
    assert (made.device, made.tolist(), seen) == (torch.device(FIRST), [1, 1], [(False, 0)])


def results_made_while_nothing_is_inferred_are_not_of_inference() -> None:
    operand = torch.ones(2, 3, device=FIRST)
    views = [operand.t(), operand[0], operand.detach()]
    for result in (operand + operand, operand.relu_(), torch.sort(operand)[0], operand.contiguous(), *views):
        assert not result.is_inference()
        version = result._version
        result.add_(1)
        assert result._version == version + 1
    with torch.inference_mode():
        assert (operand + operand).is_inference()


def no_operator_is_taken_apart() -> None:
    has: Callable[[str, str], bool] = untyped._C._dispatch_has_kernel_for_dispatch_key
    composite = ("CompositeExplicitAutogradNonFunctional", "CompositeExplicitAutograd")
    names = [name for name in untyped._C._dispatch_get_all_op_names() if name.startswith("aten::")]
    apart = [name for name in names if has(name, "CPU") and any(has(name, key) for key in composite)]
    assert len(apart) > 300
    assert [name for name in apart if not has(name, "PrivateUse1")] == []


@pytest.mark.parametrize(
    "scenario",
    [
        results_are_tensors_of_the_device,
        every_result_is_charged_once,
        results_that_somebody_else_holds_are_copied,
        operators_of_others_are_given_whole_tensors,
        results_made_while_nothing_is_inferred_are_not_of_inference,
        no_operator_is_taken_apart,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_result(scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]) -> None:
    processes.run(machine, scenario)
