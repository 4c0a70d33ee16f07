"""Finds the best node for a pod, fast: pods that ask for the same cores share one ranking of the nodes.

Law: an answer is what a look at all nodes would find; what is kept is renewed where the draft's journal says that
something changed. What depends on other pods (affinity, spread, ports, volumes) is judged for each pod, as the cluster
is at that moment.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Final

from neuronspan import placement
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.choosing import rankings, screens
from neuronspan_operator.planning.drafting import drafts, kept, node_drafts, placements, queue
from neuronspan_operator.scheduling import screening, taints
from neuronspan_operator.scheduling.counting import node_states

_RANKINGS: Final = 32
"""Kept for as many different requests: each has an entry for every node with room, some hundred bytes."""
_MOST_CHANGED: Final = 20_000
"""Nodes in what a ranking remembers of changes: those that are gone are among them, and where many come and go these
would be more and more."""
_REJECTIONS: Final = 256
_AVERSE: Final = "PreferNoSchedule"


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A node and the cores there, in the order of the pod's requests."""

    node: node_drafts.NodeDraft
    spans: placements.Spans


@dataclasses.dataclass(slots=True)
class _Rejected:
    """Nodes with free cores that will not do for pods of one likeness, up to a position in the journal."""

    seen: int
    names: set[str] = dataclasses.field(default_factory=set)


class NodeChoice:
    """All nodes of a draft, ready to be asked for the best one."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self.screens = screens.Screens(draft)
        self._rankings: rankings.Recent[rankings.Ranking] = rankings.Recent(_RANKINGS)
        self._rejected: rankings.Recent[_Rejected] = rankings.Recent(_REJECTIONS)
        self._averse: set[str] = set()  # nodes with a taint that pods had better avoid
        self._averse_seen = queue.NEVER

    # --- is it worth a look? -------------------------------------------------------------------------------------

    def chances(self) -> Iterable[queue.Unit]:
        """Return the units that may find a place that they did not find before, and who may because of them.

        Of units that ask for the same cores none is looked at while no node with room for these changed, nor, for
        those to whom other nodes matter, what is beyond a node.
        """
        line = self._draft.queue
        found = line.take_fresh()
        for shelf in line.shelves.values():
            for unit in self._concerned(shelf):
                if self.may_fit(unit):
                    found[unit.key] = unit
        found |= {key: unit for key, unit in line.groups.items() if self.may_fit(unit)}
        if found:  # room only gets less in a pass; but a grant may be what a pod, or a group, of lower rank waits for
            found |= line.groups
            for shelf in line.shelves.values():
                found |= shelf.others
        return found.values()

    def _concerned(self, shelf: queue.Shelf) -> Iterator[queue.Unit]:
        """Yield the units of a shelf to which it matters what changed since it was looked at."""
        draft = self._draft
        changed = None if shelf.seen == queue.NEVER else draft.journal.since(shelf.seen)
        is_touched = changed is None or self._has_room(shelf, changed)
        for units in (shelf.local, shelf.others):
            if is_touched or (units is shelf.others and shelf.relations != draft.cluster.relations):
                for unit in units.values():
                    shelf.catch_up(unit)
                    yield unit
        shelf.seen, shelf.relations = draft.journal.position, draft.cluster.relations

    def _has_room(self, shelf: queue.Shelf, names: Iterable[str]) -> bool:
        """Whether one of these nodes has room for what the units of a shelf ask for."""
        unit = next(iter((shelf.local or shelf.others).values()))
        pod = self._draft.snapshot.pods[unit.first]
        key = placements.requests_key(pod)
        return any(self._entry(name, pod, key) is not None for name in names)

    def may_fit(self, unit: queue.Unit) -> bool:
        """Whether the unit may find a place now that it did not find before."""
        draft = self._draft
        first = draft.snapshot.pods[unit.first]
        group = draft.group_of(first) if unit.grouped else None
        if group is not None and group.granted:
            return True  # what the others have may have to be taken back
        if unit.seen == queue.NEVER or (not unit.local and unit.relations != draft.cluster.relations):
            return True
        if unit.lacks_members:
            return False
        changed = draft.journal.since(unit.seen)
        if changed is None:
            return True
        if unit.grouped:
            found = any(self._touches(draft.snapshot.pods[uid], changed, unit.seen) for uid in unit.uids)
        else:
            found = self._fits_on(first, self.screens.likeness_in(unit, first), changed)
        if not found:
            self.found_none(unit)
        return found

    def found_none(self, unit: queue.Unit) -> None:
        """Note that there is no place for the unit as the nodes are now."""
        unit.seen = self._draft.journal.position
        unit.relations = self._draft.cluster.relations

    def _touches(self, pod: pods.PodView, changed: dict[str, None], seen: int) -> bool:
        """Whether there is, or was, room for the pod on a node that changed: for a group either may matter."""
        ranking = self._ranking(pod, placements.requests_key(pod))
        if ranking.made > seen:
            return True
        return any(name in ranking or ranking.changed_at.get(name, queue.NEVER) > seen for name in changed)

    def _fits_on(self, pod: pods.PodView, likeness: screens.Likeness, changed: dict[str, None]) -> bool:
        ranking = self._ranking(pod, likeness.shape.requests)
        there = [name for name in changed if name in ranking]
        if not there:
            return False
        screen = self.screens.of(pod, likeness)
        return any(name not in likeness.excluded and screen.objection(self._state(name)) is None for name in there)

    # --- the best ------------------------------------------------------------------------------------------------

    def best(self, pod: pods.PodView, likeness: screens.Likeness) -> Place | None:
        """Return the best node for the pod and its cores there, None when it fits nowhere."""
        ranking = self._ranking(pod, likeness.shape.requests)
        possible = self._beside_kept(self._possible(pod, ranking, likeness), pod)
        choosy = self._is_choosy(pod, ranking)
        found = self._preferred(pod, list(possible)) if choosy else next(possible, None)
        return None if found is None else Place(self._draft.nodes[found[1]], found[2])

    def _possible(
        self, pod: pods.PodView, ranking: rankings.Ranking, likeness: screens.Likeness
    ) -> Iterator[rankings.Entry]:
        """Yield the nodes where the pod may be and has its cores, best packed first."""
        screen = self.screens.of(pod, likeness)
        rejected = self._rejections(likeness.shape) if screen.is_plain else set()
        for entry in ranking.entries:
            name = entry[1]
            if name in rejected or name in likeness.excluded:
                continue
            if screen.objection(self._state(name)) is None:
                yield entry
            elif screen.is_plain:
                rejected.add(name)

    def _beside_kept(self, possible: Iterable[rankings.Entry], pod: pods.PodView) -> Iterator[rankings.Entry]:
        """Yield the places that leave alone what is kept for pods before this one, elsewhere on the node if need be."""
        rank = kept.rank(pod)
        for entry in possible:
            reserved = self._draft.kept.against(entry[1], rank)
            if not any(mine.overlaps(span) for mine in entry[2] for span in reserved):
                yield entry
                continue
            placed = placements.beside(self._draft.nodes[entry[1]], pod.requests, reserved)
            if placed is not None:
                yield placed.score, entry[1], placed.spans

    def _rejections(self, shape: placements.Shape) -> set[str]:
        """Return the nodes that are known not to do for such pods, for more to be added."""
        journal = self._draft.journal
        found = self._rejected.get(shape)
        changed = None if found is None else journal.since(found.seen)
        if found is None or changed is None:
            found = _Rejected(journal.position)
            self._rejected.put(shape, found)
            return found.names
        found.names.difference_update(changed)
        found.seen = journal.position
        return found.names

    def _is_choosy(self, pod: pods.PodView, ranking: rankings.Ranking) -> bool:
        """Whether the pod would rather be on some nodes than on others."""
        averse = (name for name in self._averse_nodes() if name in ranking)
        return any(taints.is_disliked(pod, self._state(name)) for name in averse) or screening.minds(
            pod, self._draft.cluster
        )

    def _averse_nodes(self) -> set[str]:
        changed = self._draft.journal.since(self._averse_seen) if self._averse_seen != queue.NEVER else None
        self._averse_seen = self._draft.journal.position
        hosts = self._draft.cluster.nodes
        for name in hosts if changed is None else changed:
            state = hosts.get(name)
            if state is not None and any(taint.effect == _AVERSE for taint in state.host.taints):
                self._averse.add(name)
            else:
                self._averse.discard(name)
        return self._averse

    def _preferred(self, pod: pods.PodView, possible: list[rankings.Entry]) -> rankings.Entry | None:
        """Return the node that the pod likes most, of equals the best packed; the pools may turn that round."""
        liked = screening.soft_scores(pod, self._draft.cluster, [self._state(name) for _, name, _ in possible])
        after = placement.Preferences.AFTER_PACKING
        if all(self._draft.nodes[name].policy.preferences is after for _, name, _ in possible):
            return min(possible, key=lambda entry: (entry[0], -liked[entry[1]], entry[1]), default=None)
        return min(possible, key=lambda entry: (-liked[entry[1]], entry[0], entry[1]), default=None)

    # --- rankings ------------------------------------------------------------------------------------------------

    def _ranking(self, pod: pods.PodView, key: placements.RequestsKey) -> rankings.Ranking:
        """Return the nodes with room for such requests, best first."""
        draft = self._draft
        ranking = self._rankings.get(key)
        changed = None if ranking is None else draft.journal.since(ranking.seen)
        if ranking is None or changed is None or len(ranking.changed_at) > _MOST_CHANGED:
            entries = (self._entry(name, pod, key) for name in draft.nodes)
            found = (entry for entry in entries if entry is not None)
            ranking = rankings.Ranking(found, draft.journal.position)
            self._rankings.put(key, ranking)
        else:
            for name in changed:
                ranking.renew(name, self._entry(name, pod, key), draft.journal.position)
        ranking.seen = draft.journal.position
        return ranking

    def _entry(self, name: str, pod: pods.PodView, key: placements.RequestsKey) -> rankings.Entry | None:
        node = self._draft.nodes.get(name)
        if node is None or node.ineligible is not None:
            return None
        placed = self._draft.placements.on(node, pod.requests, key)
        return None if placed is None else (placed.score, name, placed.spans)

    def _state(self, name: str) -> node_states.NodeState:
        return self._draft.cluster.nodes[name]
