"""The work of a program, as values that add up.

Law: pure; numbers of a program, which know no machine.
"""

import collections
import dataclasses
from collections.abc import Iterable

Amounts = tuple[tuple[str, int], ...]
"""A number for each type, a name of torch's such as `float32`; sorted, no zeros."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one execution of a program does. Costs add up; every number is at least 0."""

    matrix_flops: Amounts = ()
    """Operations of matrix products, convolutions and attention by the factors' type; multiply and add are two."""
    vector_operations: int = 0
    """Elements that other operators compute."""
    weight_bytes: Amounts = ()
    """Bytes of the weights that are read whole."""
    moved_bytes: int = 0
    """Bytes from and to HBM besides: inputs, outputs, rows of tables, results too large to stay on the chip."""
    unknown: frozenset[str] = frozenset()
    """Operators that there is no formula for; their operands and results are in `moved_bytes`."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            amounts([*self.matrix_flops, *other.matrix_flops]),
            self.vector_operations + other.vector_operations,
            amounts([*self.weight_bytes, *other.weight_bytes]),
            self.moved_bytes + other.moved_bytes,
            self.unknown | other.unknown,
        )

    @property
    def flops(self) -> int:
        """Operations of the matrix engine, whatever their type."""
        return sum(number for _, number in self.matrix_flops)


def amounts(pairs: Iterable[tuple[str, int]]) -> Amounts:
    """Add up numbers by their type."""
    sums: collections.Counter[str] = collections.Counter()
    for kind, number in pairs:
        sums[kind] += number
    return tuple(sorted((kind, number) for kind, number in sums.items() if number))
