"""What the moments of pods mean in numbers, in the manner of Kubernetes' scheduler_perf. Pure."""

import bisect
import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

PERCENTS = (50, 90, 95, 99)


@dataclasses.dataclass(frozen=True)
class Run:
    """One batch of pods of one kind: when each was sent to the API server, and when it was seen bound (seconds)."""

    created: Mapping[str, float]
    bound: Mapping[str, float]
    processor_seconds: Mapping[str, float]
    """CPU time that each process took for it until the API server was at rest again, see ``spent``."""
    writes: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Calls that changed something at the API server, without the creation of the pods; none when not counted."""
    tail_seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """The part of it that came when all pods were bound: Events, for the most part."""

    @property
    def seconds(self) -> float:
        """From the first pod sent to the last pod bound."""
        return max(self.bound.values()) - min(self.created.values())

    @property
    def pods_per_second(self) -> float:
        """All pods over all the time."""
        return len(self.bound) / self.seconds

    @property
    def sent_per_second(self) -> float:
        """How fast the API server took the pods: more than this cannot be bound."""
        moments = self.created.values()
        return (len(self.created) - 1) / (max(moments) - min(moments))

    def samples(self) -> list[float]:
        """Return pods bound per second, second by second, as scheduler_perf's collector samples it.

        The first sample in which a pod is bound only starts the collection, seconds without a pod share the rate of the
        next one with some, and what comes after the last whole second is left out. A run that is too short for any
        sample has its average.
        """
        start = min(self.created.values())
        moments = sorted(self.bound.values())
        counts = [bisect.bisect_right(moments, start + second) for second in range(1, int(self.seconds) + 1)]
        begun = next((index for index, count in enumerate(counts) if count), len(counts))
        rates: list[float] = []
        quiet = 1
        for before, after in itertools.pairwise(counts[begun:]):
            if after == before:
                quiet += 1
                continue
            last = counts[begun + len(rates)]
            rates += [(after - last) / quiet] * quiet
            quiet = 1
        return rates or [self.pods_per_second]

    def latencies(self) -> list[float]:
        """Return the milliseconds from sent to bound of every pod."""
        return [(self.bound[name] - moment) * 1e3 for name, moment in self.created.items()]

    def processor_milliseconds(self) -> dict[str, float]:
        """Return the CPU time per pod of each process."""
        return {name: seconds * 1e3 / len(self.bound) for name, seconds in self.processor_seconds.items()}

    def tail_milliseconds(self) -> dict[str, float]:
        """Return the part of it that came when all pods were bound."""
        return {name: seconds * 1e3 / len(self.bound) for name, seconds in self.tail_seconds.items()}

    def writes_per_pod(self) -> float:
        """Return how many calls changed something at the API server for each pod."""
        return sum(self.writes.values()) / len(self.bound)


def spent(
    before: Mapping[str, float], after: Mapping[str, float], looks: int, of_look: Mapping[str, float]
) -> dict[str, float]:
    """Return the CPU time of each process between two moments, without so many looks whether it is at rest.

    ``of_look`` is what a process takes for one of them and the time to the next, while nothing else happens.
    """
    return {name: max(0.0, after[name] - before[name] - looks * of_look[name]) for name in after}


def percentile(numbers: Sequence[float], percent: float) -> float:
    """Return the smallest of the numbers that so many percent of them do not exceed."""
    return sorted(numbers)[max(1, math.ceil(len(numbers) * percent / 100)) - 1]
