"""What was decided, kept by what it was decided for: one node, or one pod. Pure.

Law: to decide anew for a node or a pod drops what was decided for it before, and nothing else.
"""

import dataclasses
import datetime as dt
import enum
import heapq

from neuronspan_operator.planning import plans
from neuronspan_operator.scheduling.volumes import claiming


class Kind(enum.IntEnum):
    """What something is decided for."""

    NODE = enum.auto()
    POD = enum.auto()
    EXPLANATIONS = enum.auto()  # of those that wait for room: only their moment is kept
    PREEMPTION = enum.auto()  # likewise


Key = tuple[Kind, str]  # and the node's name, or the pod's UID


Decision = (
    plans.Inquiry
    | claiming.Write
    | plans.Bind
    | plans.Ungate
    | plans.PodPatch
    | plans.Evict
    | plans.Notice
    | plans.Drift
)
"""What can be decided for a node or a pod."""


@dataclasses.dataclass(slots=True)
class Part:
    """What is to be done for one node or one pod."""

    decisions: list[Decision] = dataclasses.field(default_factory=list)
    wake_at: dt.datetime | None = None

    @property
    def departs(self) -> bool:
        """Whether a pod goes to its node."""
        return any(isinstance(each, plans.Bind | plans.Ungate) for each in self.decisions)


class Parts:
    """All that is decided; ``open`` begins anew for one node or pod, ``now`` is what is being written to."""

    def __init__(self) -> None:
        self._parts: dict[Key, Part] = {}
        self._opened: set[Key] = set()  # since the last look at what is standing
        self._standing: set[Key] = set()
        self._timers: list[tuple[dt.datetime, int, str, Key]] = []

    def __contains__(self, key: Key) -> bool:
        return key in self._parts

    def open(self, key: Key) -> Part:
        """Forget what was decided for this, and return what takes up the new decisions."""
        found = self._parts[key] = Part()
        self._opened.add(key)
        return found

    def get(self, key: Key) -> Part:
        """Return what is decided for this, to add to it."""
        if key not in self._parts:
            return self.open(key)
        self._opened.add(key)
        return self._parts[key]

    def drop(self, key: Key) -> None:
        """Forget what was decided for this."""
        if self._parts.pop(key, None) is not None:
            self._opened.add(key)

    def wake(self, key: Key, moment: dt.datetime) -> None:
        """Note that this is to be decided anew at that moment, if not before."""
        part = self.get(key)
        if part.wake_at is None or moment < part.wake_at:
            part.wake_at = moment
            heapq.heappush(self._timers, (moment, key[0].value, key[1], key))

    def due(self, now: dt.datetime) -> list[Key]:
        """Return what is to be decided anew because its time has come."""
        found = []
        while self._timers and self._timers[0][0] <= now:
            moment, _, _, key = heapq.heappop(self._timers)
            if self._is_set(key, moment):
                self._parts[key].wake_at = None
                found.append(key)
        return found

    def wake_at(self) -> dt.datetime | None:
        """Return the next moment at which anything is due."""
        while self._timers and not self._is_set(self._timers[0][3], self._timers[0][0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def evictions(self) -> list[plans.Evict]:
        """Return whom it was decided to evict."""
        found = (self._parts.get(key) for key in self._standing | self._opened)
        evict = plans.Evict
        return [each for part in found if part is not None for each in part.decisions if isinstance(each, evict)]

    def any_standing(self) -> bool:
        """Whether any part may have anything to do."""
        return bool(self._standing or self._opened)

    def standing(self) -> list[Part]:
        """Return the parts with anything to do, pods after nodes, in a fixed order; empty ones are forgotten."""
        for key in self._opened:
            part = self._parts.get(key)
            if part is not None and part.decisions:
                self._standing.add(key)
                continue
            self._standing.discard(key)
            if part is not None and part.wake_at is None:
                del self._parts[key]
        self._opened.clear()
        return [self._parts[key] for key in sorted(self._standing, key=lambda key: (key[0].value, key[1]))]

    def _is_set(self, key: Key, moment: dt.datetime) -> bool:
        return key in self._parts and self._parts[key].wake_at == moment
