"""What a result on the device has to have in common with the CPU's: everything that a program can see of it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from kits.opinfo import operator_database as database

Tree = database.Tree


@dataclasses.dataclass
class Comparison:
    """Differences found so far, in words; `exact` while every value was the same to the bit.

    `samples` is how many calls were compared, where a check counts them.
    """

    differences: list[str] = dataclasses.field(default_factory=list)
    exact: bool = True
    samples: int = 0

    def compare(self, there: Tree, here: Tree, *, values: bool = True, moved: bool = True) -> None:
        """Compare two results; without `values` only what kind of thing they are.

        `moved`: everything must be on the device, as results are; of arguments some may be on the CPU in both calls.
        """
        left, right = list(database.leaves(there)), list(database.leaves(here))
        if len(left) != len(right) or type(there) is not type(here):
            self.differences.append(f"{len(left)} results in {type(there)}, not {len(right)} in {type(here)}")
            return
        for ours, theirs in zip(left, right, strict=True):
            if isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
                self._compare_tensors(ours, theirs, values=values, moved=moved)
            elif values and not _same(ours, theirs):
                self.differences.append(f"result {ours!r}, not {theirs!r}")

    def compare_sharing(self, there: Tree, arguments_there: Tree, here: Tree, arguments_here: Tree) -> None:
        """Which arguments do the results share memory with?"""
        ours, theirs = _sharing(there, arguments_there), _sharing(here, arguments_here)
        if ours != theirs:
            self.differences.append(f"results share memory with arguments {ours}, not {theirs}")

    def _compare_tensors(self, ours: torch.Tensor, theirs: torch.Tensor, *, values: bool, moved: bool) -> None:
        if moved and ours.device != torch.device(database.DEVICE):
            self.differences.append(f"result on {ours.device}")
        for name in ("layout", "dtype", "shape", "requires_grad"):
            found, expected = getattr(ours, name), getattr(theirs, name)
            if found != expected:
                self.differences.append(f"{name} {found}, not {expected}")
                return
        if ours.layout == torch.strided and ours.stride() != theirs.stride():
            self.differences.append(f"strides {ours.stride()}, not {theirs.stride()}, of shape {tuple(ours.shape)}")
        if values:
            self._compare_values(ours.detach().cpu(), theirs.detach())

    def _compare_values(self, ours: torch.Tensor, theirs: torch.Tensor) -> None:
        if ours.layout == torch.strided and _bits(ours) == _bits(theirs):
            return
        self.exact = self.exact and ours.layout != torch.strided
        try:
            torch.testing.assert_close(ours, theirs, equal_nan=True)
        except AssertionError as error:
            self.differences.append("values: " + " ".join(str(error).split()))


def _same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, torch.device):
        return isinstance(theirs, torch.device)
    return bool(ours == theirs or (ours != ours and theirs != theirs))  # noqa: PLR0124 - nan


def _bits(tensor: torch.Tensor) -> bytes:
    plain = tensor.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def _sharing(results: Tree, arguments: Tree) -> list[list[int]]:
    storages = [_storage(argument) for argument in database.tensors(arguments)]
    return [_positions(_storage(result), storages) for result in database.tensors(results)]


def _positions(storage: int, storages: Sequence[int]) -> list[int]:
    return [position for position, other in enumerate(storages) if storage == other != 0]


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else 0
