"""The calls by which torch tests CUDA's autocast, under `torch.autocast("neuron")`: the same types come out."""

import warnings
from typing import Any

import pytest
import torch

from kits.device import neuron_processes
from kits.opinfo import operator_database

HALF, FULL = torch.float16, torch.float32
untyped: Any = torch
"""torch, where it has no types of its own."""

LISTS: dict[str, tuple[Any, torch.dtype | None]] = {
    "torch_fp16": (torch, HALF),
    "nn_fp16": (torch._C._nn, HALF),
    "linalg_fp16": (untyped._C._linalg, HALF),
    "methods_fp16": (None, HALF),
    "torch_fp32": (torch, FULL),
    "nn_fp32": (torch._C._nn, FULL),
    "methods_fp32": (None, FULL),
    "torch_need_autocast_promote": (torch, FULL),
    "torch_expect_builtin_promote": (torch, None),
    "methods_expect_builtin_promote": (None, None),
}
"""Every list: where its functions are (None: they are methods), and the type of results (None: each says its own)."""

NOT_CALLED = {
    "einsum": "the entry lacks its brackets; torch's own test finds no callable for it and goes on",
    "__div__": "Python 2's",
}
"""Entries that torch's own tests pass over, too, with the reason. Those of cuDNN are for CUDA alone."""


def outcomes(name: str) -> tuple[list[str], list[str]]:
    """What has been called, and what had another type than torch expects."""
    warnings.simplefilter("ignore")  # some of them are deprecated
    place, dtype = LISTS[name]
    called, wrong = [], []
    for operator, arguments, *more in getattr(operator_database.autocast_lists("neuron:0"), name):
        if "cudnn" in operator or operator in NOT_CALLED:
            continue
        keywords = more[0] if more and isinstance(more[0], dict) else {}
        expected = more[0] if dtype is None else dtype
        call = getattr(place, operator) if place is not None else getattr(arguments[0], operator)
        with torch.autocast("neuron", dtype=HALF):
            result = call(*(arguments if place is not None else arguments[1:]), **keywords)
        called.append(operator)
        first = result[0] if isinstance(result, tuple) else result
        if isinstance(first, torch.Tensor) and first.dtype != expected:
            wrong.append(f"{operator}: {first.dtype} instead of {expected}")
    return called, wrong


@pytest.mark.parametrize("name", LISTS)
def test_autocast_gives_the_types_that_torch_expects_of_cuda(
    name: str, processes: neuron_processes.Parent, machine: dict[str, str]
) -> None:
    called, wrong = processes.run(machine | {"NEURON_RT_NUM_CORES": "1"}, outcomes, name)
    assert called
    assert wrong == []
