"""One contiguous run of NeuronCores, and what is left free between several.

Law: a container's cores are always exactly one CoreSpan; there is no other way in neuronspan to say "these cores".
"""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Self

from neuronspan import errors

_SPAN = re.compile(r"(?P<first>[0-9]{1,9})(?:-(?P<last>[0-9]{1,9}))?")


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class CoreSpan:
    """One run of ``count`` consecutive NeuronCores starting at core ``first``; never empty, ordered by first core.

    Raises InvalidSpan when ``first`` is below 0, ``count`` below 1, or one of them is not an integer.
    """

    first: int
    count: int

    def __post_init__(self) -> None:
        if type(self.first) is not int or self.first < 0:
            raise errors.InvalidSpan(f"first core of a span is {self.first!r}: give a whole number of at least 0")
        if type(self.count) is not int or self.count < 1:
            raise errors.InvalidSpan(f"number of cores of a span is {self.count!r}: give a whole number of at least 1")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``4-7`` or ``4``; raises InvalidSpan."""
        found = _SPAN.fullmatch(text)
        if found is None:
            raise errors.InvalidSpan(f"span {text!r} is neither a core nor a range of cores: write it like 4 or 4-7")
        first = int(found["first"])
        last = first if found["last"] is None else int(found["last"])
        if last < first:
            raise errors.InvalidSpan(f"span {text!r} ends before it starts: write {last}-{first}")
        return cls(first, last - first + 1)

    @classmethod
    def of_cores(cls, cores: Iterable[int]) -> Self:
        """Return the run made of exactly these cores; order and repetition do not matter.

        Raises InvalidSpan when there are none, NotContiguous when some core between them is missing.
        """
        ordered = sorted(set(cores))
        if not ordered:
            raise errors.InvalidSpan("no cores given: a span has at least one core")
        for before, after in itertools.pairwise(ordered):
            if after != before + 1:
                missing = str(cls(before + 1, after - before - 1))
                raise errors.NotContiguous(
                    f"cores {', '.join(map(str, ordered))} are not contiguous: {missing} is missing between "
                    f"{before} and {after}; give one run of consecutive cores",
                    missing=missing,
                )
        return cls(ordered[0], len(ordered))

    @property
    def last(self) -> int:
        """The highest core."""
        return self.first + self.count - 1

    @property
    def end(self) -> int:
        """One past the highest core."""
        return self.first + self.count

    @property
    def cores(self) -> range:
        """The cores, ascending."""
        return range(self.first, self.end)

    def __iter__(self) -> Iterator[int]:
        return iter(self.cores)

    def __len__(self) -> int:
        return self.count

    def __contains__(self, core: object) -> bool:
        return core in self.cores

    def __str__(self) -> str:
        return str(self.first) if self.count == 1 else f"{self.first}-{self.last}"

    def overlaps(self, other: "CoreSpan") -> bool:
        """Whether some core is in both."""
        return self.first < other.end and other.first < self.end

    def contains(self, other: "CoreSpan") -> bool:
        """Whether every core of ``other`` is in this span."""
        return self.first <= other.first and other.end <= self.end

    def shifted(self, by: int) -> Self:
        """Return the same number of cores, ``by`` higher (lower when negative); raises InvalidSpan below core 0."""
        return type(self)(self.first + by, self.count)


def free_runs(total: int, taken: Iterable[CoreSpan]) -> tuple[CoreSpan, ...]:
    """Return the maximal runs of cores 0..total-1 that are in no taken span, ascending.

    Taken spans may come in any order, overlap, and reach past the end. Raises InvalidSpan when ``total`` is negative.
    """
    if total < 0:
        raise errors.InvalidSpan(f"a node cannot have {total} cores: give 0 or more")
    runs: list[CoreSpan] = []
    frontier = 0
    for span in sorted(taken):
        stop = min(span.first, total)
        if stop > frontier:
            runs.append(CoreSpan(frontier, stop - frontier))
        frontier = max(frontier, span.end)
    if total > frontier:
        runs.append(CoreSpan(frontier, total - frontier))
    return tuple(runs)
