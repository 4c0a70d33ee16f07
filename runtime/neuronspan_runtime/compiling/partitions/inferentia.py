"""How `torch_neuron.trace` decides what is compiled for Inf1 and what stays on the CPU.

Documented by AWS: `subgraph_builder_function`, `minimum_segment_size`, `single_fusion_ratio_threshold`, `fallback`.
Observed in published programs: `op_whitelist`.

Law: chooses operations and cuts nothing.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

import torch

from neuronspan_runtime.compiling.partitions import operator_support, program, segments

MINIMUM_SEGMENT_SIZE = 2
SINGLE_FUSION_RATIO_THRESHOLD = 0.6


@dataclasses.dataclass(frozen=True)
class GraphNode:
    """What a `subgraph_builder_function` is shown of an operation."""

    name: tuple[str, ...]
    """The classes of the modules that lead to it, outermost first."""
    kind: str
    """Its operator, such as `aten::relu`."""
    scope: str
    """The same modules as a path of attribute names, such as `layer.conv`."""


@dataclasses.dataclass(frozen=True)
class Options:
    """The partitioning options of one call."""

    fallback: bool = True
    builder: Callable[[GraphNode], bool] | None = None
    minimum_segment_size: int | None = None
    """None is AWS's default, and then only counts in a model that must be cut anyway."""
    single_fusion_ratio_threshold: float | None = None
    whitelist: Collection[str] | None = None

    def choose(self, model: object, whole: program.Program) -> Sequence[bool]:
        """Decide which operations go to a NeuronCore.

        Raises AttributeError, as documented, for an operator that is not supported when `fallback` is off.
        """
        supported = [self._takes(operation.kind) for operation in whole.operations]
        refused = sorted({op.kind for op, able in zip(whole.operations, supported, strict=True) if not able})
        if refused and not self.fallback:
            raise AttributeError(f"{', '.join(refused)} are not supported by Neuron, and fallback is off")
        chosen = [
            able and (self.builder is None or bool(self.builder(node)))
            for able, node in zip(supported, nodes_of(model, whole), strict=True)
        ]
        if all(chosen) and self.minimum_segment_size is None:
            return chosen
        ratio = self.single_fusion_ratio_threshold
        return segments.shrunk(
            whole.dependencies,
            chosen,
            smallest=MINIMUM_SEGMENT_SIZE if self.minimum_segment_size is None else self.minimum_segment_size,
            single_fraction=SINGLE_FUSION_RATIO_THRESHOLD if ratio is None else ratio,
            keep_order=whole.order_matters,
        )

    def _takes(self, kind: str) -> bool:
        if self.whitelist is not None:
            return kind in self.whitelist or kind.startswith("prim::")
        return operator_support.support_of(kind).supported


def nodes_of(model: object, whole: program.Program) -> list[GraphNode]:
    """Describe the operations of a model for a `subgraph_builder_function`."""
    names: Mapping[str, str] = (
        {path: _class_of(module) for path, module in model.named_modules()}
        if isinstance(model, torch.nn.Module)
        else {}
    )
    return [
        GraphNode(
            tuple(names[path] for path in _prefixes(operation.path) if path in names), operation.kind, operation.path
        )
        for operation in whole.operations
    ]


def _prefixes(path: str) -> list[str]:
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def _class_of(module: torch.nn.Module) -> str:
    return str(getattr(module, "original_name", type(module).__name__))
