"""What a recorded graph writes into: which of its inputs, of its module's tensors and of its constants. Pure.

torch's own alias analysis takes all inputs and all of a module's tensors for one another, since a caller may have made
them so; then one counter that is written would be every weight. Here each is its own: who runs a compiled program
gives it tensors of its own.

Law: too much may be called written, too little never.
"""

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from neuronspan_runtime.compiling.recording import undeclared

_REPLACES_BYTES = "aten::set_"
"""The operator after which its first argument is a view of its second, without a word in its schema."""

_RUNNING_STATISTICS = dict.fromkeys(
    ("aten::batch_norm", "aten::instance_norm", "aten::native_batch_norm", "aten::_batch_norm_impl_index"), (3, 4, 5)
)
"""Operators that write two tensors without saying so in their schema when a flag is set: the positions of all three.

torch's alias analysis knows the first two by name too (AliasDb::analyzeBatchNorm, analyzeInstanceNorm in
torch/csrc/jit/ir); the others are what they are taken apart into.
"""


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where the tensors of a graph come from that it does not make itself; values by their names."""

    inputs: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]]
    """The path of the attribute behind a value: `("layer", "weight")`."""
    constants: tuple[str, ...]


def sources(graph: Any) -> Sources:
    """Return the inputs, the tensors of the module and the constant tensors of a graph without calls."""
    root = next(iter(graph.inputs())).debugName()
    paths: dict[str, tuple[str, ...]] = {root: ()}
    attributes, constants = {}, []
    for node in nodes(graph):
        if node.kind() == "prim::GetAttr" and (owner := paths.get(node.input().debugName())) is not None:
            paths[node.output().debugName()] = (*owner, node.s("name"))
            if _is_tensor(node.output()):
                attributes[node.output().debugName()] = paths[node.output().debugName()]
        elif node.kind() == "prim::Constant" and _is_tensor(node.output()):
            constants.append(node.output().debugName())
    given = [value.debugName() for value in graph.inputs() if value.debugName() != root]
    return Sources(tuple(given), attributes, tuple(constants))


def written(graph: Any, found: Sources) -> frozenset[str]:
    """Return which of the sources the graph may write into, or into views of them."""
    return _written(graph, _behind(graph, (*found.inputs, *found.attributes, *found.constants)))


def unseen(graph: Any) -> str:
    """Return an operator that hands on memory without saying so, where that memory is written; nothing without one.

    torch's passes take its result for memory of its own, and leave out writes into the one that the other should see.
    """
    handing = [node for node in nodes(graph) if undeclared.shares(node)]
    if not handing or not writes(graph):
        return ""
    found = sources(graph)
    made = (one.debugName() for node in nodes(graph) if node.kind() != "prim::GetAttr" for one in node.outputs())
    behind = _behind(graph, (*found.inputs, *made), found.attributes)
    changed = _written(graph, behind)
    return next((node.kind() for node in handing for value in node.inputs() if behind[value.debugName()] & changed), "")


def _behind(
    graph: Any, origins: Iterable[str], attributes: Mapping[str, tuple[str, ...]] = types.MappingProxyType({})
) -> dict[str, frozenset[str]]:
    """Return for each value of the graph the origins that it may share memory with; attributes go by their paths."""
    behind = {name: frozenset({name}) for name in origins}
    behind |= {name: frozenset({".".join(path)}) for name, path in attributes.items()}
    ordered = list(nodes(graph))
    known = -1
    while known != (known := sum(map(len, behind.values()))):  # loops and lists hand values back
        for node in ordered:
            _follow(node, behind)
    return behind


def _written(graph: Any, behind: dict[str, frozenset[str]]) -> frozenset[str]:
    targets = (value.debugName() for node in nodes(graph) for value in _targets(node))
    return frozenset(origin for name in targets for origin in behind.get(name, ()))


def writes(graph: Any) -> bool:
    """Return whether any operation of the graph writes in place."""
    return any(any(True for _ in _targets(node)) or node.kind() == "prim::SetAttr" for node in nodes(graph))


def nodes(graph_or_block: Any) -> Iterator[Any]:
    """Yield all nodes in order, those of branches and loops behind the node that they belong to."""
    for node in graph_or_block.nodes():
        yield node
        for block in node.blocks():
            yield from nodes(block)


def _targets(node: Any) -> Iterator[Any]:
    """Yield the values that an operation writes into."""
    given = list(node.inputs())
    if (statistics := _RUNNING_STATISTICS.get(node.kind())) is not None:
        *tensors, flag = (given[position] for position in statistics)
        if flag.toIValue() is not False:
            yield from tensors
    declared = schema(node)
    if declared is None:
        return
    for value, argument in zip(given, declared.arguments, strict=False):
        if argument.alias_info is not None and argument.alias_info.is_write:
            yield value


def _follow(node: Any, behind: dict[str, frozenset[str]]) -> None:
    """Add to `behind` what the results of a node may share bytes with."""
    declared = schema(node)
    inside = [value for block in node.blocks() for value in (*block.inputs(), *block.outputs())]
    if declared is None or inside or node.kind() == _REPLACES_BYTES or undeclared.shares(node):
        _join([*node.inputs(), *inside], [*node.inputs(), *inside, *node.outputs()], behind)
        return
    given = zip(node.inputs(), declared.arguments, strict=False)
    sharing = [(value, argument.alias_info) for value, argument in given if argument.alias_info is not None]
    results = [
        value
        for value, returned in zip(node.outputs(), declared.returns, strict=False)
        if returned.alias_info is not None
    ]
    # what is put into a list is in it from then on
    results += [value for value, alias in sharing if alias.is_write]
    _join([value for value, _ in sharing], results, behind)


def _join(origins: Iterable[Any], results: Sequence[Any], behind: dict[str, frozenset[str]]) -> None:
    found = frozenset[str]().union(*(behind.get(value.debugName(), frozenset()) for value in origins))
    for value in results:
        behind[value.debugName()] = behind.get(value.debugName(), frozenset()) | found


def statistics(node: Any) -> tuple[int, ...]:
    """Return the positions of the tensors that an operation may write without a word in its declaration."""
    return _RUNNING_STATISTICS.get(node.kind(), ())[:2]


def schema(node: Any) -> Any:
    """Return what torch declares of an operation, None for one without a declaration."""
    text = node.schema()
    return None if text == "(no schema)" else _parsed(text)


def _parsed(text: str) -> Any:
    found = _schemas.get(text)
    if found is None:
        found = _schemas[text] = torch._C.parse_schema(text)  # noqa: SLF001 - torch has no public reader of schemas
    return found


_schemas: dict[str, Any] = {}


def _is_tensor(value: Any) -> bool:
    return bool(value.type().isSubtypeOf(torch._C.TensorType.get()))  # noqa: SLF001 - torch types graphs there
