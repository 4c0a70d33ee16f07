"""What programs ask of a device beside operators, and must be refused or answered as on other accelerators."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import utils

from kits.device import neuron_processes

FIRST = "neuron:0"
SECOND = "neuron:1"

untyped: Any = torch
"""torch, where it has no types of its own."""


def storages_are_set_within_bounds() -> None:
    storage = torch.arange(6.0, device=FIRST).untyped_storage()
    whole_numbers: Any = torch.empty(0, dtype=torch.int32, device=FIRST)
    for where, said in (
        ((-1, (2,), (1,)), "invalid storage offset -1"),
        ((0, (2,), (-1,)), "Negative strides"),
        ((0, (2, 2), (1,)), r"unequal size length \(2\) and stride length \(1\)"),
    ):
        with pytest.raises(RuntimeError, match=said):
            torch.empty(0, device=FIRST).set_(storage, *where)
    with pytest.raises(RuntimeError, match="Could not set tensor of type float to a tensor of type int"):
        whole_numbers.set_(torch.ones(1, device=FIRST))
    assert torch.empty(0, device=FIRST).set_(storage, 1, (2,), (2,)).tolist() == [1, 3]


def only_the_hosts_memory_is_pinned() -> None:
    makers: list[Callable[..., torch.Tensor]] = [torch.empty, torch.zeros, torch.rand]
    for maker in makers:
        with pytest.raises(RuntimeError, match="Only dense CPU tensors can be pinned"):
            maker(3, device=FIRST, pin_memory=True)
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        torch.ones(1, device=FIRST).pin_memory()


def generators_are_copied_and_sent() -> None:
    generator = torch.Generator(SECOND).manual_seed(3)
    expected = torch.rand(4, generator=torch.Generator().manual_seed(3))
    copies = [
        copy.deepcopy(generator),
        pickle.loads(pickle.dumps(generator)),  # noqa: S301 - our own bytes
        generator.clone_state(),
    ]
    for one in copies:
        assert (one.device, one.initial_seed()) == (torch.device(SECOND), 3)
        assert torch.equal(torch.rand(4, generator=one, device=SECOND).cpu(), expected)
    with pytest.raises(RuntimeError, match="must be between 0 and 7, got 8"):
        torch.Generator("neuron:8")


def memory_is_not_lent_to_others() -> None:
    there = torch.ones(2, device=FIRST)
    lenders: list[Callable[[], object]] = [
        lambda: np.from_dlpack(there),
        lambda: untyped.from_dlpack(there),
        lambda: untyped.__dict__["from_numpy"](there),
        lambda: there.__cuda_array_interface__,
        lambda: memoryview(there),  # type: ignore[arg-type]
    ]
    for lender in lenders:
        with pytest.raises((RuntimeError, TypeError, ValueError, AttributeError)):
            lender()
    assert there.numpy(force=True).tolist() == [1, 1]
    assert np.asarray(there.cpu()).sum() == 2


def fused_and_capturable_optimizers_step_as_on_the_cpu() -> None:
    for name, options in (
        ("Adam", {"fused": True}), ("AdamW", {"fused": True, "amsgrad": True}), ("Adagrad", {"fused": True}),
        ("SGD", {"fused": True, "momentum": 0.9}), ("Adam", {"capturable": True}), ("RMSprop", {"capturable": True}),
    ):  # fmt: skip
        weights = []
        for device in ("cpu", SECOND):
            weight = torch.linspace(-1, 1, 6, device=device, requires_grad=True)
            # torch has the latter for accelerators only; for the CPU it is the same computation
            here = {"foreach": False} if "capturable" in options and device == "cpu" else options
            optimizer = getattr(torch.optim, name)([weight], lr=0.1, **here)
            for _ in range(3):
                weight.grad = weight.detach() ** 2
                optimizer.step()
            state = pickle.loads(pickle.dumps(optimizer.state_dict()))  # noqa: S301 - our own bytes
            optimizer.load_state_dict(state)
            weights.append(weight.detach().cpu())
        tolerance = 1e-5 if "capturable" in options else 0.0
        torch.testing.assert_close(weights[1], weights[0], msg=name, rtol=tolerance, atol=tolerance)


def gradients_are_clipped_in_one_call() -> None:
    norms = []
    for device in ("cpu", FIRST):
        parameters = [torch.full((n,), 2.0, device=device, requires_grad=True) for n in (1, 3)]
        for parameter in parameters:
            parameter.grad = torch.full_like(parameter, 3.0)
        norms.append(utils.clip_grad_norm_(parameters, 1.0, foreach=True).item())
        assert all(parameter.grad is not None and parameter.grad.max() < 3 for parameter in parameters)
    assert norms == pytest.approx([6, 6])


@pytest.mark.parametrize(
    "scenario",
    [
        storages_are_set_within_bounds,
        only_the_hosts_memory_is_pinned,
        generators_are_copied_and_sent,
        memory_is_not_lent_to_others,
        fused_and_capturable_optimizers_step_as_on_the_cpu,
        gradients_are_clipped_in_one_call,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_device_answers_as_others_do(
    scenario: Callable[[], None], processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    processes.run(machine, scenario)
