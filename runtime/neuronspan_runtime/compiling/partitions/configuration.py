"""`torch_neuronx.PartitionerConfig`: which operators stay on the CPU, and when a cut model is not worth having.

Names, defaults and meaning are documented by AWS in the API reference of torch_neuronx.trace. "Subgraph" is read as
a part of either kind, on a NeuronCore or on the CPU.

Law: chooses operations and cuts nothing.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from neuronspan_runtime.compiling.partitions import operator_support, program, segments

_ANALYZE_PARAMETERS = frozenset({"compiler_workdir", "additional_ignored_ops", "max_workers"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class PartitionerConfig:
    """Settings of the graph partitioner. Raises ValueError for values that no model could satisfy."""

    trace_kwargs: Mapping[str, Any] | None = None
    """Options of torch_neuronx.trace for each part on a NeuronCore."""
    model_support_percentage_threshold: float = 0.5
    """From 0 to 1: a model of which a smaller part of the operators is supported is refused."""
    min_subgraph_size: int = -1
    """Operators that each subgraph must have at least; -1 is any number."""
    max_subgraph_count: int = -1
    """Subgraphs that the model may have at most; -1 is any number."""
    ops_to_partition: Collection[str] | None = None
    """Operators such as `aten::relu` that go to the CPU although they are supported."""
    analyze_parameters: Mapping[str, Any] | None = None
    """Options of torch_neuronx.analyze: compiler_workdir, additional_ignored_ops (taken for supported), max_workers."""

    def __post_init__(self) -> None:
        if not 0 <= self.model_support_percentage_threshold <= 1:
            raise ValueError(
                f"model_support_percentage_threshold={self.model_support_percentage_threshold} is not from 0 to 1"
            )
        for name in ("min_subgraph_size", "max_subgraph_count"):
            if (value := getattr(self, name)) != -1 and value < 1:
                raise ValueError(f"{name}={value} is neither -1 nor at least 1")
        unknown = set(self.analyze_parameters or ()) - _ANALYZE_PARAMETERS
        if unknown:
            raise ValueError(
                f"analyze_parameters {', '.join(sorted(unknown))} are not for the partitioner: "
                f"it takes {', '.join(sorted(_ANALYZE_PARAMETERS))}"
            )

    def choose(self, whole: program.Program) -> Sequence[bool]:
        """Decide which operations go to a NeuronCore. Raises ValueError when the limits do not allow the result."""
        ignored = set((self.analyze_parameters or {}).get("additional_ignored_ops", ()))
        supported = [
            operation.kind in ignored or operator_support.support_of(operation.kind).supported
            for operation in whole.operations
        ]
        share = sum(supported) / len(supported) if supported else 1.0
        if share < self.model_support_percentage_threshold:
            raise ValueError(
                f"{share:.2%} of the operators are supported, model_support_percentage_threshold asks for "
                f"{self.model_support_percentage_threshold:.2%}"
            )
        kept = set(self.ops_to_partition or ())
        chosen = [
            able and operation.kind not in kept for able, operation in zip(supported, whole.operations, strict=True)
        ]
        self._check(segments.segments(whole.dependencies, chosen, keep_order=whole.order_matters))
        return chosen

    def _check(self, found: Sequence[segments.Segment]) -> None:
        if self.max_subgraph_count != -1 and len(found) > self.max_subgraph_count:
            raise ValueError(f"the model has {len(found)} subgraphs, max_subgraph_count={self.max_subgraph_count}")
        smallest = min((len(part.operations) for part in found), default=0)
        if smallest < self.min_subgraph_size:
            raise ValueError(
                f"a subgraph of the model has {smallest} operators, min_subgraph_size={self.min_subgraph_size}"
            )
