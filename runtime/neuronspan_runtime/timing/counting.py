"""Counts what a program does by running it on tensors without values, or on zeros where that cannot be.

torch hands every operator to a mode before it runs it, however the program was made: modules, recorded and scripted
ones, exported ones. Work on values that depend on no input and no weight is the compiler's, and free.

Law: what is counted, a program, its weights and its inputs, is left as it was.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch._subclasses import fake_tensor
from torch.utils import _python_dispatch, _pytree

from neuronspan_runtime.compiling import torchscript
from neuronspan_runtime.timing import costs, formulas

ON_CHIP_BYTES = 24 * 2**20
"""The smallest on-chip memory of a NeuronCore from v2 on (24 MiB of SBUF, AWS's NKI guide); HBM has what is larger."""


@dataclasses.dataclass(frozen=True)
class Counted:
    """The cost of one execution, and its results, without values, which are the inputs of the next stage."""

    cost: costs.Cost
    results: tuple[Any, ...]


def count(
    function: Callable[..., Any], inputs: Sequence[Any], weights: Iterable[torch.Tensor], *, real: bool = False
) -> Counted:
    """Count one execution of a function on inputs, of which shapes and types matter.

    `weights` are its parameters, buffers and constants. `real` runs it with numbers: zeros for the inputs. Raises what
    the program raises; without `real` also when it needs values that tensors without values do not have.
    """
    given = list(weights)
    fakes = [one.fake_mode for one in (*given, *inputs) if isinstance(one, fake_tensor.FakeTensor)]
    without_values = fakes[0] if fakes else fake_tensor.FakeTensorMode(allow_non_fake_inputs=True)
    with _undisturbed():
        made = [_example(one, None if real else without_values) for one in inputs]
        counter = _Counter(given, [one for one in made if isinstance(one, torch.Tensor)], without_values, real=real)
        with counter:
            result = function(*made)
        results = tuple(_pytree.tree_leaves(result))
    written = sum(one.nbytes for one in results if isinstance(one, torch.Tensor))
    return Counted(dataclasses.replace(counter.cost(), moved_bytes=counter.moved_bytes + written), results)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Without gradients, autocast and fusion, and with the caller's random numbers as they were."""
    with (
        torch.inference_mode(mode=False),
        torch.no_grad(),
        torch.autocast("cpu", enabled=False),
        torch.random.fork_rng(devices=[]),
        torchscript.unoptimized(),
    ):
        yield


def _example(value: Any, without_values: fake_tensor.FakeTensorMode | None) -> Any:
    """Return a tensor like another one: without values, or with zeros."""
    if not isinstance(value, torch.Tensor):
        return value
    with contextlib.nullcontext() if without_values is None else without_values:
        return torch.zeros(value.shape, dtype=value.dtype)


class _Counter(_python_dispatch.TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sees every operator that reaches a kernel; what holds a program's weights and inputs is known by its storage."""

    def __init__(
        self,
        weights: Sequence[torch.Tensor],
        inputs: Sequence[torch.Tensor],
        without_values: fake_tensor.FakeTensorMode,
        *,
        real: bool,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._without_values = without_values
        self._real = real
        self._sources = {_key(one): one for one in (*weights, *inputs)}
        self._inputs = {_key(one) for one in inputs}
        self._kept = [*weights, *inputs]  # a key is an address: what has one must not go
        self._read: set[int] = set()
        self._flops: list[tuple[str, int]] = []
        self._vector = 0
        self._unknown: set[str] = set()
        self.moved_bytes = 0

    def cost(self) -> costs.Cost:
        """Return what was counted until now."""
        weights = [self._sources[key] for key in self._read - self._inputs]
        return costs.Cost(
            costs.amounts(self._flops),
            self._vector,
            costs.amounts((_kind(one), one.untyped_storage().nbytes()) for one in weights),
            self.moved_bytes,
            frozenset(self._unknown),
        )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator and count it; those that are made of others come back as these."""
        keywords = kwargs or {}
        formula = formulas.of(func)
        if formula is None and func.namespace == "aten":
            with self:
                parts = func.decompose(*args, **keywords)
            if parts is not NotImplemented:
                return parts
        tensors = [one for one in _pytree.tree_leaves((args, keywords)) if isinstance(one, torch.Tensor)]
        works = self._real or any(
            isinstance(one, fake_tensor.FakeTensor) or _key(one) in self._sources for one in tensors
        )
        with self._without_values if works and not self._real else contextlib.nullcontext():
            result = func(*args, **keywords)
        made = [one for one in _pytree.tree_leaves(result) if isinstance(one, torch.Tensor)]
        # numbers that are tensors are sizes, which the compiler knows
        if works and made and any(one.dim() for one in tensors):
            self._count(func, formula, (args, result), tensors, made)
        return result

    def _count(
        self, func: Any, formula: formulas.Formula | None, call: tuple[Any, Any], tensors: list[Any], made: list[Any]
    ) -> None:
        name = formulas.name_of(func)
        if name in formulas.PASSES or any(_is_view(each) for each in func._schema.returns):  # noqa: SLF001
            self._follow(tensors[0], made)
            return
        result_bytes = sum(one.nbytes for one in made)
        gathered = tensors[0] if name in formulas.GATHERS else None
        self._reads(one for one in tensors if one is not gathered)
        if gathered is not None and _key(gathered) in self._sources:
            self.moved_bytes += result_bytes
        if formula is not None:
            self._flops.append((_factors(tensors), formula(*call)))
            self.moved_bytes += 2 * result_bytes if result_bytes > ON_CHIP_BYTES else 0
            return
        counted = made if gathered is not None else [*tensors, *made]
        self._vector += max((one.numel() for one in counted), default=0)
        if not formulas.is_known(func):
            self._unknown.add(func.name())
            self.moved_bytes += result_bytes + sum(one.nbytes for one in tensors)

    def _follow(self, origin: torch.Tensor, made: Iterable[torch.Tensor]) -> None:
        """Take a view of a weight for the weight, and a cast of it too."""
        source = self._sources.get(_key(origin))
        if source is None:
            return
        for one in made:
            if self._sources.setdefault(_key(one), source) is source and _key(one) != _key(source):
                self._kept.append(one)
                if _key(source) in self._inputs:
                    self._inputs.add(_key(one))

    def _reads(self, tensors: Iterable[torch.Tensor]) -> None:
        for one in tensors:
            source = self._sources.get(_key(one))
            if source is None or _key(source) in self._read:
                continue
            self._read.add(_key(source))
            if _key(source) in self._inputs:
                self.moved_bytes += source.nbytes


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - the storage's identity, also without values


def _kind(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _factors(tensors: Sequence[torch.Tensor]) -> str:
    """Return the type that is multiplied: that of the widest factor."""
    return _kind(max(tensors[:3], key=lambda one: one.dtype.itemsize))


def _is_view(returned: Any) -> bool:
    return returned.alias_info is not None and not returned.alias_info.is_write
