"""Power laws through measured points: y = constant * x ** exponent, by least squares of the logarithms. Pure."""

import dataclasses
import math
import statistics
from collections.abc import Sequence

Points = Sequence[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Power:
    """A curve that is a straight line where both axes are logarithmic."""

    constant: float
    exponent: float
    fit: float
    """How much of the points' scatter the line explains, 0 to 1; of points on one level there is none to explain."""

    def at(self, size: float) -> float:
        """Return the value at this size."""
        return float(self.constant * size**self.exponent)


def power(points: Points) -> Power:
    """Return the curve through these points, two at least; all numbers are positive."""
    sizes = [math.log(size) for size, _ in points]
    values = [math.log(value) for _, value in points]
    slope, intercept = statistics.linear_regression(sizes, values)
    total = sum((value - statistics.fmean(values)) ** 2 for value in values)
    left = sum((value - slope * size - intercept) ** 2 for size, value in zip(sizes, values, strict=True))
    return Power(math.exp(intercept), slope, 1 - left / total if total else 1.0)
