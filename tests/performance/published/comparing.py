"""Predicted against published time, row by row."""

import dataclasses
import functools
import statistics
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch._subclasses import fake_tensor

from neuronspan import instance_types
from neuronspan_runtime.compiling.numerics import casts
from neuronspan_runtime.cores import rates
from neuronspan_runtime.timing import counting, prediction
from performance.published import rows

MEDIAN_LIMIT = 1.1
"""What docs/concepts/time.md states of the median factor, of rows that nothing was fitted to."""
WORST_LIMIT = 1.25
"""And of the worst."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One published row and what is predicted for it."""

    row: rows.Row
    milliseconds: float

    @property
    def factor(self) -> float:
        """How far they are apart, whichever is larger: 1 is equal, 2 is half or double."""
        return max(self.milliseconds / self.row.milliseconds, self.row.milliseconds / self.milliseconds)


def compared(published: Iterable[rows.Row] = rows.ROWS) -> Iterator[Comparison]:
    """Predict every row: the execution, and the copies of inputs and outputs, as a program sees it."""
    for row in published:
        counted, to_device, to_host = _counted(row.model, row.batch)
        hardware = instance_types.hardware_of(row.instance)
        chosen = casts.of_neuron_cc([]) if row.instance.startswith("inf1.") else casts.of_neuronx_cc([])
        nanoseconds = prediction.nanoseconds(counted.cost, rates.of(hardware), chosen)
        sent, returned = rates.copy_nanoseconds_per_byte()
        copies = 0.0 if row.overlapped else to_device * sent + to_host * returned
        yield Comparison(row, (nanoseconds + copies) / 1e6)


def factors(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """Return the median and the worst factor of the rows that nothing was fitted to."""
    found = [one.factor for one in comparisons if not one.row.fitted]
    return statistics.median(found), max(found)


def lines(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield the table as the documentation has it."""
    yield "| model | instance type | batch | published, ms | predicted, ms | factor | |"
    yield "|---|---|---|---|---|---|---|"
    for one in comparisons:
        row = one.row
        yield (
            f"| {row.model} | {row.instance} | {row.batch} | {row.milliseconds:.2f} | {one.milliseconds:.2f} "
            f"| {one.factor:.2f} | {'fitted' if row.fitted else ''} |"
        )


@functools.cache
def _made(name: str) -> tuple[fake_tensor.FakeTensorMode, torch.nn.Module]:
    without_values = fake_tensor.FakeTensorMode()
    with without_values:
        return without_values, rows.MODELS[name].make().eval()


@functools.cache
def _counted(name: str, batch: int) -> tuple[counting.Counted, int, int]:
    """Return the cost of a model and the bytes that a call copies there and back; no tensor of it has values."""
    without_values, model = _made(name)
    with without_values:
        given = rows.MODELS[name].inputs(batch)
    counted = counting.count(model, [given], [*model.parameters(), *model.buffers()])
    results = [one for one in counted.results if isinstance(one, torch.Tensor)]
    return counted, given.nbytes, sum(one.nbytes for one in results)
