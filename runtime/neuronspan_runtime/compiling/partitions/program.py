"""A recorded module taken apart: its operations in order, where in the model each comes from, and pieces of it.

What only prepares arguments (constants, sizes, lists) is no operation: every piece that needs it has its own. Changes
in place are turned into new tensors where torch can prove that it makes no difference.

Law: reads a graph and copies from it; the recorded module itself is never changed.
"""

import dataclasses
from collections.abc import Collection, Iterator
from typing import Any

import torch

from neuronspan_runtime import errors
from neuronspan_runtime.compiling import torchscript

_UNPACKING = frozenset({"prim::ListUnpack", "prim::TupleUnpack", "aten::__getitem__"})


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """One operation of the model."""

    kind: str
    """Its name in torch, such as `aten::relu`."""
    path: str
    """The module that calls it, as a path of attribute names; empty for the model itself."""
    place: str
    """The Python call stack at which it was recorded, innermost first."""
    node: Any
    """torch's own node."""

    @property
    def changes_in_place(self) -> bool:
        """Whether it writes to one of its arguments."""
        return "!" in self.node.schema().partition("->")[0]


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some operations as a module from tensors to a tuple of tensors."""

    module: torch.jit.ScriptModule
    inputs: tuple[str, ...]
    """Names of the values it takes, in the order of its arguments."""
    outputs: tuple[str, ...]


class Program:
    """The operations of a recorded module whose outputs are tensors in one tuple."""

    def __init__(self, recorded: torch.jit.ScriptModule, root: str = "") -> None:
        """Take it apart; module paths are given without their first part `root`.

        Raises TraceRefused for a module that torch cannot take apart.
        """
        try:
            self._graph, weights = torchscript.lowered(recorded)
        except RuntimeError as error:
            raise errors.TraceRefused(f"torch cannot take the recorded model apart: {error}") from error
        values = list(self._graph.inputs())
        first = len(values) - len(weights)
        self.inputs = tuple(value.debugName() for value in values[:first])
        self.outputs = tuple(value.debugName() for value in self._graph.outputs())
        self._weights = {value.debugName(): weight for value, weight in zip(values[first:], weights, strict=True)}
        self._values = {value.debugName(): value for value in values}
        self._values |= {value.debugName(): value for node in self._graph.nodes() for value in node.outputs()}
        self._owners: dict[str, int] = {}
        self._prepared: set[str] = set()
        self.operations = tuple(self._operations(root))
        self.dependencies = tuple(
            frozenset(self._needed_by(operation.node)) - {index} for index, operation in enumerate(self.operations)
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all nodes of the graph, also of those that only prepare arguments."""
        return tuple(node.kind() for node in self._graph.nodes())

    @property
    def order_matters(self) -> bool:
        """Whether some operation changes a tensor in place or draws random numbers."""
        return any(operation.changes_in_place or operation.node.isNondeterministic() for operation in self.operations)

    def piece(self, members: Collection[int], wanted: Collection[str]) -> Piece:
        """Make a module of these operations; of its results those that are wanted become its outputs.

        Raises TraceRefused when it would need the random result of another piece twice.
        """
        return _PieceBuilder(self, frozenset(members)).built(wanted)

    def results(self, members: Collection[int]) -> frozenset[str]:
        """Return the names of the tensors that these operations make."""
        return frozenset(name for name, owner in self._owners.items() if owner in members)

    def owner(self, name: str) -> int | None:
        """Return the operation that makes a value, None for inputs, weights and what only prepares arguments."""
        return self._owners.get(name)

    def value(self, name: str) -> Any:
        """Return torch's own value of this name."""
        return self._values[name]

    def weight(self, name: str) -> torch.Tensor | None:
        """Return the weight of this name."""
        return self._weights.get(name)

    def _operations(self, root: str) -> Iterator[Operation]:
        count = 0
        for node in self._graph.nodes():
            outputs = [value.debugName() for value in node.outputs()]
            if node.kind() in _UNPACKING and (owner := self._owners.get(next(node.inputs()).debugName())) is not None:
                self._owners |= dict.fromkeys(outputs, owner)
            elif self._prepares(node):
                self._prepared.update(outputs)
            else:
                self._owners |= dict.fromkeys(outputs, count)
                count += 1
                yield Operation(node.kind(), _path_of(node, root), _place_of(node), node)

    def _prepares(self, node: Any) -> bool:
        if next(node.blocks(), None) is not None:
            return False
        if node.kind().startswith("prim::") or not any(_carries_tensors(value) for value in node.outputs()):
            return True
        tensors = [value.debugName() for value in node.inputs() if _carries_tensors(value)]
        return bool(tensors) and all(name in self._prepared for name in tensors) and not node.isNondeterministic()

    def _needed_by(self, node: Any, seen: set[str] | None = None) -> Iterator[int]:
        """Yield the operations that a node depends on, also through what prepares its arguments."""
        seen = set() if seen is None else seen
        for value in free_values(node):
            name = value.debugName()
            if name in seen:
                continue
            seen.add(name)
            owner = self._owners.get(name)
            if owner is not None:
                yield owner
            elif name not in self._weights and name not in self.inputs:
                yield from self._needed_by(value.node(), seen)


class _PieceBuilder:
    """Copies nodes into a graph of their own."""

    def __init__(self, program: Program, members: frozenset[int]) -> None:
        self._program = program
        self._members = members
        self._graph: Any = torch._C.Graph()  # noqa: SLF001 - torch has no public way to make a graph
        self._values: dict[str, Any] = {}
        self._arguments: list[str] = []

    def built(self, wanted: Collection[str]) -> Piece:
        for index in sorted(self._members):
            self._copy(self._program.operations[index].node)
        outputs = [self._resolved(self._program.value(name)) for name in wanted]
        weights = [self._program.weight(name) for name in self._arguments]
        module = torchscript.module_of_graph(self._graph, outputs, weights)
        inputs = tuple(name for name, weight in zip(self._arguments, weights, strict=True) if weight is None)
        return Piece(module, inputs, tuple(wanted))

    def _resolved(self, value: Any) -> Any:
        name = value.debugName()
        if name not in self._values:
            if self._comes_from_outside(value):
                self._arguments.append(name)
                self._values[name] = self._graph.addInput()
                self._values[name].setType(torch._C.TensorType.get())  # noqa: SLF001 - as above
            else:
                self._copy(value.node())
        return self._values[name]

    def _comes_from_outside(self, value: Any) -> bool:
        name, program = value.debugName(), self._program
        if name in program.inputs or program.weight(name) is not None:
            return True
        return _is_tensor(value) and program.owner(name) not in {None, *self._members}

    def _copy(self, node: Any) -> None:
        outputs = [value.debugName() for value in node.outputs()]
        if outputs and outputs[0] in self._values:
            return
        if node.isNondeterministic() and not self._members & {self._program.owner(name) for name in outputs}:
            raise errors.TraceRefused(
                f"{node.kind()} draws random numbers for two parts of the model: let both run on one device"
            )
        for value in free_values(node):
            self._resolved(value)
        copied = self._graph.createClone(node, lambda value: self._values[value.debugName()])
        self._graph.appendNode(copied)
        self._values |= dict(zip(outputs, copied.outputs(), strict=True))


def free_values(node: Any) -> list[Any]:
    """Return the values that a node, or a block in it, takes from outside."""
    found = {value.debugName(): value for value in node.inputs()}
    for block in node.blocks():
        inner: dict[str, Any] = {}
        made = {value.debugName() for value in block.inputs()}
        for part in block.nodes():
            inner |= {value.debugName(): value for value in free_values(part)}
            made |= {value.debugName() for value in part.outputs()}
        inner |= {value.debugName(): value for value in block.outputs()}
        found |= {name: value for name, value in inner.items() if name not in made}
    return list(found.values())


def _path_of(node: Any, root: str) -> str:
    """Return `layer.conv` for the scope `__module.layer/__module.layer.conv`."""
    parts = node.scopeName().rpartition("/")[2].removeprefix("__module").strip(".").split(".")
    return ".".join(parts[1:] if parts[0] == root else parts)


def _place_of(node: Any) -> str:
    """Return the call stack without the frames of those who watch each call of torch, as recording itself does."""
    frames = node.sourceRange().splitlines()
    return "\n".join(frame for frame in frames if not frame.endswith(": __torch_function__"))


def _is_tensor(value: Any) -> bool:
    return bool(value.type().isSubtypeOf(torch._C.TensorType.get()))  # noqa: SLF001 - torch types graphs there


def _carries_tensors(value: Any) -> bool:
    return _is_tensor(value) or str(value.type()) in {"List[Tensor]", "Tensor[]"}
