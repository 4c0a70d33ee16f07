"""The pods that found no place yet, in classes of pods that may be on the same nodes. Pure.

Law: a class is looked at again only where something changed since it found no place; who asks for the same cores stands
on one shelf, so that what changed is held against each request once, however many classes make it.
"""

import bisect
import collections
import dataclasses
import datetime as dt
from collections.abc import Hashable, Iterator

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import kept, placements

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


@dataclasses.dataclass(slots=True)
class Shelf:
    """Units that ask for the same cores; those that were looked at found no place up to ``seen`` and ``relations``."""

    local: dict[Hashable, Unit] = dataclasses.field(default_factory=dict)
    others: dict[Hashable, Unit] = dataclasses.field(default_factory=dict)  # to whom other nodes matter
    seen: int = NEVER
    relations: int = NEVER

    def units(self, *, local: bool) -> dict[Hashable, Unit]:
        """Return the units of one kind, by key."""
        return self.local if local else self.others

    def catch_up(self, unit: Unit) -> None:
        """Tell a unit what was found out for the whole shelf while it was not looked at."""
        if unit.seen != NEVER:
            unit.seen = max(unit.seen, self.seen)
            unit.relations = max(unit.relations, self.relations)


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a pod stands."""

    unit: Unit
    rank: kept.Rank
    shelf: placements.RequestsKey
    preempts: bool


class Queue:
    """Units by key; ``shelves`` by what is asked for have those that are no groups, ``groups`` the others."""

    def __init__(self) -> None:
        self.shelves: dict[placements.RequestsKey, Shelf] = {}
        self.groups: dict[Hashable, Unit] = {}
        self.untold: dict[Hashable, Unit] = {}  # units with pods whose waiting was not explained yet
        self._units: dict[Hashable, Unit] = {}
        self._fresh: dict[Hashable, Unit] = {}  # units of shelves that nobody looked at
        self._of_pod: dict[str, _Place] = {}
        self._preempting: collections.Counter[int] = collections.Counter()  # pods that may preempt, by priority
        self._ages: list[tuple[str, str]] = []  # creation and UID of the pods in no group, in order

    def __iter__(self) -> Iterator[Unit]:
        return iter(self._units.values())

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, uid: object) -> bool:
        return uid in self._of_pod

    @property
    def highest_preempting(self) -> int | None:
        """The highest priority of a pod in no group that may have others ended; None without any."""
        return max(self._preempting, default=None)

    @property
    def oldest(self) -> str | None:
        """The UID of the pod in no group that was created first; None without any."""
        return self._ages[0][1] if self._ages else None

    def enter(self, pod: pods.PodView, key: Hashable, *, grouped: bool, local: bool) -> Unit:
        """Put a pod into the unit of that key; a group is looked at anew when one of it comes."""
        place = _Place(
            self._unit(pod, key, grouped=grouped, local=local),
            kept.rank(pod),
            placements.requests_key(pod),
            pod.preempts and not pod.gated and not grouped,
        )
        bisect.insort(place.unit.order, place.rank)
        place.unit.untold.add(pod.uid)
        self.untold[key] = place.unit
        self._of_pod[pod.uid] = place
        if place.preempts:
            self._preempting[pod.priority] += 1
        if not grouped:
            bisect.insort(self._ages, place.rank[1:])
        return place.unit

    def leave(self, uid: str) -> None:
        """Take a pod out, if it is in."""
        place = self._of_pod.pop(uid, None)
        if place is None:
            return
        unit, rank = place.unit, place.rank
        del unit.order[bisect.bisect_left(unit.order, rank)]
        unit.untold.discard(uid)
        if place.preempts:
            self._preempting[-rank[0]] -= 1
            if not self._preempting[-rank[0]]:
                del self._preempting[-rank[0]]
        if not unit.grouped:
            del self._ages[bisect.bisect_left(self._ages, rank[1:])]
        if not unit.order:
            self._drop(unit, place.shelf)
        elif unit.grouped:
            unit.seen = NEVER

    def look_anew(self, unit: Unit) -> None:
        """Look at all nodes for a unit when the next look comes, if it has pods still."""
        unit.seen = NEVER
        if unit.order and not unit.grouped:
            self._fresh[unit.key] = unit

    def take_fresh(self) -> dict[Hashable, Unit]:
        """Return the units of shelves that nobody looked at, by key; whoever takes them looks."""
        found, self._fresh = self._fresh, {}
        return found

    def take_all(self) -> list[Unit]:
        """Return all units; whoever takes them looks."""
        self._fresh = {}
        return list(self._units.values())

    def _unit(self, pod: pods.PodView, key: Hashable, *, grouped: bool, local: bool) -> Unit:
        unit = self._units.get(key)
        if unit is None:
            unit = self._units[key] = Unit(key, grouped, local)
            if grouped:
                self.groups[key] = unit
            else:
                shelf = self.shelves.setdefault(placements.requests_key(pod), Shelf())
                shelf.units(local=local)[key] = self._fresh[key] = unit
        elif grouped:
            unit.seen = NEVER
        return unit

    def _drop(self, unit: Unit, asked: placements.RequestsKey) -> None:
        for units in (self._units, self._fresh, self.groups, self.untold):
            units.pop(unit.key, None)
        if unit.grouped:
            return
        shelf = self.shelves[asked]
        del shelf.units(local=unit.local)[unit.key]
        if not (shelf.local or shelf.others):
            del self.shelves[asked]
