"""What the moments of pods mean in numbers, in the manner of Kubernetes' scheduler_perf. Pure."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

PERCENTS = (50, 90, 95, 99)


@dataclasses.dataclass(frozen=True)
class Run:
    """One batch of pods of one kind: when each was sent to the API server, and when it was seen bound (seconds)."""

    created: Mapping[str, float]
    bound: Mapping[str, float]
    processor_seconds: Mapping[str, float]
    """CPU time that each process took meanwhile."""

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

    def per_second(self) -> list[float]:
        """Return how many pods were bound in each whole second; of a run that is shorter, its average."""
        start = min(self.created.values())
        counts = [0.0] * int(self.seconds)
        for moment in self.bound.values():
            if (second := int(moment - start)) < len(counts):
                counts[second] += 1
        return counts or [self.pods_per_second]

    def latencies(self) -> list[float]:
        """Return the milliseconds from sent to bound of every pod."""
        return [(self.bound[name] - moment) * 1e3 for name, moment in self.created.items()]

    def processor_milliseconds(self) -> dict[str, float]:
        """Return the CPU time per pod of each process."""
        return {name: seconds * 1e3 / len(self.bound) for name, seconds in self.processor_seconds.items()}


def percentile(numbers: Sequence[float], percent: float) -> float:
    """Return the smallest of the numbers that so many percent of them do not exceed."""
    return sorted(numbers)[max(1, math.ceil(len(numbers) * percent / 100)) - 1]
