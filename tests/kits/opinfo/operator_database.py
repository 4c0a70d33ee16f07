"""torch's own database of its operators (OpInfo), and each sample of it twice: on the device and on the CPU.

Samples are made on the device, as torch's tests of its own devices do, because some operators want certain arguments on
the CPU and only the database knows which. The copy for the CPU has the same bytes in the same storages with the same
strides.
"""

import dataclasses
import itertools
import sys
import types
import unittest
from collections.abc import Callable, Iterable
from typing import Any

import torch

DEVICE = "neuron:0"

Tree = Any
"""Tensors in lists, tuples and dictionaries, and anything else."""


@dataclasses.dataclass(frozen=True)
class Call:
    """Arguments of one call of an operator; the first of them has a name of its own in the database."""

    input: Tree
    args: tuple[Tree, ...]
    kwargs: dict[str, Tree]


@dataclasses.dataclass(frozen=True)
class Sample:
    """The same call twice; `process` makes an output differentiable, where an operator's gradient is not unique."""

    there: Call
    here: Call
    process: Callable[[Tree], Tree] = lambda output: output
    broadcasts: bool = False
    """The result is larger than the first argument, so there is no in-place form of this call."""


def operators() -> dict[str, Any]:
    """Return the database: name, with its variant behind a dot, to entry. Importing it takes seconds."""
    _stand_in_for_expecttest()
    from torch.testing._internal import common_methods_invocations  # noqa: PLC0415 - only after the stand-in

    names = (
        (f"{entry.name}.{entry.variant_test_name}".rstrip("."), entry) for entry in common_methods_invocations.op_db
    )
    return dict(sorted(names, key=lambda pair: pair[0]))


def autocast_lists(device: str) -> Any:
    """Return the calls by which torch tests CUDA's autocast, with tensors of a device; an attribute for each list."""
    _stand_in_for_expecttest()
    from torch.testing._internal import autocast_test_lists  # noqa: PLC0415 - only after the stand-in

    lists: Any = autocast_test_lists.AutocastTestLists
    return lists(device)


def preferred_type(entry: Any) -> torch.dtype:
    """Return float32, or for an operator that has none, the type that comes first by name."""
    preferred = entry.dtypes or {torch.float32}  # the two fused attentions have no CPU kernel, and so no types either
    return torch.float32 if torch.float32 in preferred else min(preferred, key=str)


def samples(entry: Any, dtype: torch.dtype, most: int, *, requires_grad: bool = False) -> list[Sample]:
    """Return the first samples of an operator, at most so many."""
    torch.manual_seed(0)
    found = itertools.islice(entry.sample_inputs(DEVICE, dtype, requires_grad=requires_grad), most)
    return [_sample(sample) for sample in found]


def refusals(entry: Any) -> list[Sample]:
    """Return calls that the operator must refuse, for the operators that have such."""
    if entry.error_inputs_func is None:
        return []
    torch.manual_seed(0)
    return [_sample(error.sample_input) for error in entry.error_inputs(DEVICE)]


def leaves(tree: Tree) -> Iterable[Any]:
    """Walk through everything in a tree that is not a container."""
    if isinstance(tree, list | tuple):
        for branch in tree:
            yield from leaves(branch)
    elif isinstance(tree, dict):
        yield from leaves(list(tree.values()))
    else:
        yield tree


def tensors(tree: Tree) -> list[torch.Tensor]:
    """Return the tensors in a tree, in order."""
    return [leaf for leaf in leaves(tree) if isinstance(leaf, torch.Tensor)]


def on_host(call: Call) -> Call:
    """Copy a call to the CPU; tensors that share a storage share one there."""
    copied: dict[int, torch.UntypedStorage] = {}
    return Call(*_mapped((call.input, call.args, call.kwargs), lambda leaf: _host_leaf(leaf, copied)))


def replaced(call: Call, change: Callable[[torch.Tensor], torch.Tensor]) -> Call:
    """Return the call with other tensors in the places of its own, which are changed in order."""
    leaves_of = (call.input, call.args, call.kwargs)
    return Call(*_mapped(leaves_of, lambda leaf: change(leaf) if isinstance(leaf, torch.Tensor) else leaf))


def _sample(found: Any) -> Sample:
    there = Call(found.input, tuple(found.args), dict(found.kwargs))
    return Sample(
        there, on_host(there), found.output_process_fn_grad or (lambda output: output), found.broadcasts_input
    )


def _mapped(tree: Tree, change: Callable[[Any], Any]) -> Tree:
    if isinstance(tree, list | tuple):
        branches = [_mapped(branch, change) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    if isinstance(tree, dict):
        return {name: _mapped(branch, change) for name, branch in tree.items()}
    return change(tree)


def _host_leaf(leaf: Any, copied: dict[int, torch.UntypedStorage]) -> Any:
    if isinstance(leaf, torch.Tensor):
        return _host_tensor(leaf, copied) if leaf.device.type == "neuron" else leaf
    if isinstance(leaf, torch.device) or (isinstance(leaf, str) and leaf.startswith("neuron")):
        return type(leaf)("cpu")
    return leaf


def _host_tensor(tensor: torch.Tensor, copied: dict[int, torch.UntypedStorage]) -> torch.Tensor:
    if tensor.layout != torch.strided or type(tensor) not in {torch.Tensor, torch.nn.Parameter}:
        return tensor.detach().cpu().requires_grad_(tensor.requires_grad)
    storage: Any = tensor.untyped_storage()  # its methods have no types
    if storage._cdata not in copied:
        copied[storage._cdata] = storage.cpu()
    with torch.no_grad():
        plain = torch.empty(0, dtype=tensor.dtype)
        plain.set_(copied[storage._cdata], tensor.storage_offset(), tensor.shape, tensor.stride())
        plain = torch._neg_view(plain) if tensor.is_neg() else plain
        plain = plain.conj() if tensor.is_conj() else plain
    return plain.requires_grad_(tensor.requires_grad)


def _stand_in_for_expecttest() -> None:
    """The database's module needs the package expecttest only as a base class of tests that nobody runs here."""
    try:
        import expecttest  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ImportError:
        stand_in = types.ModuleType("expecttest")
        vars(stand_in).update(TestCase=unittest.TestCase, ACCEPT=False)
        sys.modules["expecttest"] = stand_in
