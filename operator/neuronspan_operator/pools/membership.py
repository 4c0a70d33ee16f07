"""Which node belongs to which NeuronPool, kept from one look to the next. Pure.

Law: what is decided about a node is kept until the node, its NeuronNode or its time changes, or what a pool wants; what
is kept says what deciding everything anew would. A look costs what changed, never how many nodes there are.
"""

import bisect
import dataclasses
import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Final, TypeVar

from neuronspan_operator.objects import nodes, pools
from neuronspan_operator.planning import facts
from neuronspan_operator.pools import by_name, standings

_LONG_AGO: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

T = TypeVar("T")


@dataclasses.dataclass(slots=True)
class Findings:
    """What is remarkable about one pool, by node."""

    members: by_name.ByName[pools.Member] = dataclasses.field(default_factory=by_name.ByName)
    conflicts: by_name.ByName[str] = dataclasses.field(default_factory=by_name.ByName)
    pending: by_name.ByName[str] = dataclasses.field(default_factory=by_name.ByName)
    undetected: by_name.ByName[str] = dataclasses.field(default_factory=by_name.ByName)
    cores: int = 0
    """Of all members."""


@dataclasses.dataclass(slots=True)
class Decision:
    """Everything to do now; findings are those that are kept, and change with the next look."""

    creations: list[standings.Creation]
    changes: list[standings.Change]
    removals: list[standings.Removal]
    marks: list[standings.Mark]
    findings: Mapping[str, Findings]
    wake_at: dt.datetime | None
    """When there is more to do even if nothing changes: the end of the first quarantine."""


def decide(
    known_pools: Mapping[str, pools.PoolView],
    cluster: Mapping[str, nodes.NodeView],
    members: Mapping[str, pools.Member],
    now: dt.datetime,
) -> Decision:
    """Decide from scratch; all mappings by name, ``now`` timezone-aware."""
    return Membership().decide(facts.Changes(pools=known_pools, nodes=cluster, members=members), now)


class Membership:
    """What is known of pools, Nodes and NeuronNodes, and what was decided about each node."""

    def __init__(self) -> None:
        self.pools: dict[str, pools.PoolView] = {}
        self._nodes: dict[str, nodes.NodeView] = {}
        self._members: dict[str, pools.Member] = {}
        self._standings: dict[str, standings.Standing] = {}
        self._findings: dict[str, Findings] = {}
        self._to_do: set[str] = set()  # names of nodes
        self._to_mark: set[str] = set()
        self._ends: list[tuple[dt.datetime, str]] = []  # of quarantines, ascending
        self._at = _LONG_AGO

    def decide(self, changes: facts.Changes, now: dt.datetime) -> Decision:
        """Take what changed, of Nodes, NeuronNodes and NeuronPools, and return everything that is to be done now."""
        for name in self._taken(changes, now):
            self._renew(name, now)
        self._at = now
        writes = [self._standings[name].write for name in sorted(self._to_do)]
        return Decision(
            [each for each in writes if isinstance(each, standings.Creation)],
            [each for each in writes if isinstance(each, standings.Change)],
            [each for each in writes if isinstance(each, standings.Removal)],
            [mark for name in sorted(self._to_mark) if (mark := self._standings[name].mark)],
            self._findings,
            self._ends[0][0] if self._ends else None,
        )

    # --- inside --------------------------------------------------------------------------------------------------

    def _taken(self, changes: facts.Changes, now: dt.datetime) -> set[str]:
        """Take what changed; return the names of the nodes that are to be decided about."""
        _take(self._nodes, changes.nodes)
        _take(self._members, changes.members)
        wanted_before = {name: _wanted(pool) for name, pool in self.pools.items() if name in changes.pools}
        _take(self.pools, changes.pools)
        wanted = {name: _wanted(pool) for name, pool in self.pools.items() if name in changes.pools}
        if wanted != wanted_before or now < self._at:  # a clock that was set back may bring back a quarantine
            self._start_over()
            return {*self._nodes, *self._members}
        ended = itertools.takewhile(lambda end: end[0] <= now, self._ends)
        return {*changes.nodes, *changes.members, *(name for _, name in ended)}

    def _start_over(self) -> None:
        self._standings.clear()
        self._findings = {name: Findings() for name in self.pools}
        self._to_do.clear()
        self._to_mark.clear()
        self._ends.clear()

    def _renew(self, name: str, now: dt.datetime) -> None:
        self._forget(name)
        node, member = self._nodes.get(name), self._members.get(name)
        if node is not None or member is not None:
            self._remember(name, standings.of_node(self.pools, node, member, now))

    def _forget(self, name: str) -> None:
        standing = self._standings.pop(name, None)
        if standing is None:
            return
        self._to_do.discard(name)
        self._to_mark.discard(name)
        if standing.wake_at is not None:
            del self._ends[bisect.bisect_left(self._ends, (standing.wake_at, name))]
        if standing.member is not None and standing.member.pool in self._findings:
            found = self._findings[standing.member.pool]
            del found.members[name]
            found.undetected.pop(name, None)
            found.cores -= _cores(standing.member)
        for rival in standing.rivals:
            del self._findings[rival].conflicts[name]
        if standing.pending_in in self._findings:
            del self._findings[standing.pending_in].pending[name]

    def _remember(self, name: str, standing: standings.Standing) -> None:
        self._standings[name] = standing
        if standing.write is not None:
            self._to_do.add(name)
        if standing.mark is not None:
            self._to_mark.add(name)
        if standing.wake_at is not None:
            bisect.insort(self._ends, (standing.wake_at, name))
        if standing.member is not None and standing.member.pool in self._findings:
            found = self._findings[standing.member.pool]
            found.members[name] = standing.member
            if standing.undetected:
                found.undetected[name] = standing.undetected
            found.cores += _cores(standing.member)
        for rival in standing.rivals:
            self._findings[rival].conflicts[name] = standing.conflict
        if standing.pending_in in self._findings:
            self._findings[standing.pending_in].pending[name] = standing.pending


def _take(known: dict[str, T], changed: "Mapping[str, T | None]") -> None:
    for name, value in changed.items():
        if value is None:
            known.pop(name, None)
        else:
            known[name] = value


def _wanted(pool: pools.PoolView) -> pools.PoolView:
    """Return the pool without what decides nothing: its status is written by ourselves, after each change of a node."""
    return dataclasses.replace(pool, resource_version="", generation=0, status={})


def _cores(member: pools.Member) -> int:
    return 0 if member.view.hardware is None else member.view.hardware.cores
