"""The pods that found no place yet, in classes of pods that may be on the same nodes. Pure.

Law: a class is looked at again only where something changed since it found no place.
"""

import bisect
import dataclasses
import datetime as dt
from collections.abc import Hashable, Iterator

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import kept

NEVER = -1


@dataclasses.dataclass(slots=True)
class Unit:
    """Pods that wait for the same: any of them can take a place that one of them could, or all are a group."""

    key: Hashable
    grouped: bool
    local: bool  # whether what other nodes have does not matter to whether a node will do
    order: list[kept.Rank] = dataclasses.field(default_factory=list)
    seen: int = NEVER  # the position in the journal up to which it found no place
    lacks_members: bool = False  # it is not room that is missing, but pods of the group
    relations: int = NEVER  # those of the cluster when it found no place
    untold: set[str] = dataclasses.field(default_factory=set)  # UIDs of pods that came since it was explained
    answer: plans.Waiting | None = None  # why all of them wait, as it was explained last
    told_at: dt.datetime | None = None
    told: tuple[int, int] = NEVER, NEVER  # the position in the journal, and the relations, that its explanation is of

    @property
    def first(self) -> str:
        """The UID of the pod whose turn it is."""
        return self.order[0][-1]

    @property
    def uids(self) -> list[str]:
        """The UIDs of its pods, in order."""
        return [each[-1] for each in self.order]


class Queue:
    """Units by key."""

    def __init__(self) -> None:
        self._units: dict[Hashable, Unit] = {}
        self._of_pod: dict[str, tuple[Unit, kept.Rank]] = {}

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def __contains__(self, uid: object) -> bool:
        return uid in self._of_pod

    def enter(self, pod: pods.PodView, key: Hashable, *, grouped: bool, local: bool) -> Unit:
        """Put a pod into the unit of that key; a group is looked at anew when one of it comes."""
        unit = self._units.get(key)
        if unit is None:
            unit = self._units[key] = Unit(key, grouped, local)
        elif grouped:
            unit.seen = NEVER
        place = kept.rank(pod)
        bisect.insort(unit.order, place)
        unit.untold.add(pod.uid)
        self._of_pod[pod.uid] = unit, place
        return unit

    def leave(self, uid: str) -> None:
        """Take a pod out, if it is in."""
        found = self._of_pod.pop(uid, None)
        if found is None:
            return
        unit, place = found
        del unit.order[bisect.bisect_left(unit.order, place)]
        unit.untold.discard(uid)
        if not unit.order:
            del self._units[unit.key]
        elif unit.grouped:
            unit.seen = NEVER
