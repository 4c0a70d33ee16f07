"""Pods without cores get a node and spans, in order of priority, creation time and UID.

Law: all containers of a pod on one node; all pods of a group that still need cores at once, or none of them. Who found
no place is looked at again only where something changed.
"""

import dataclasses
import heapq
import itertools
from collections.abc import Iterable
from typing import Protocol

from neuronspan import grants
from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.choosing import node_choice, screens
from neuronspan_operator.planning.drafting import departures, drafts, groups, kept, node_drafts, queue


class Keeper(Protocol):
    """May keep cores of pods that come later."""

    def keep(self, unit: queue.Unit) -> None:
        """Keep places for the first pods of a unit that found none."""

    def served(self, uid: str) -> None:
        """Take it that a pod has its cores."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Granted:
    """What a pod was given: new grants on a node, in the order of its requests."""

    node: node_drafts.NodeDraft
    grants: tuple[grants.Grant, ...]


class Granting:
    """Kept with its draft; ``granted`` are the UIDs of the pods that got cores in the last pass."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._choice = node_choice.NodeChoice(draft)
        self._screens = self._choice.screens
        self._keeper: Keeper | None = None
        self.granted: set[str] = set()

    def run(self, undecided: Iterable[pods.PodView], keeper: Keeper | None = None) -> None:
        """Grant what fits; who finds no place is left in the draft's queue, and the keeper hears of it."""
        self._keeper = keeper
        draft = self._draft
        self.granted.clear()
        self._tell_apart()
        for pod in undecided:
            self._enter(pod)
        turns: list[tuple[kept.Rank, int, queue.Unit]] = []
        numbers = itertools.count()
        for unit in self._choice.chances() if keeper is None else draft.queue.take_all():
            heapq.heappush(turns, (unit.order[0], next(numbers), unit))
        while turns:
            _, _, unit = heapq.heappop(turns)
            may_fit = self._choice.may_fit(unit)
            if unit.grouped:
                if may_fit:
                    self._serve_group(unit)
            elif may_fit and self._serve_first(unit):
                if unit.order:
                    heapq.heappush(turns, (unit.order[0], next(numbers), unit))
            elif keeper is not None:
                keeper.keep(unit)

    def _tell_apart(self) -> None:
        """Put pods that are not alike any more, by what pods elsewhere forbid some of them, into units of their own."""
        draft = self._draft
        if self._screens.opinions == draft.cluster.opinions:
            return
        self._screens.tell_apart()
        for unit in [each for each in draft.queue if not each.grouped]:
            for uid in unit.uids:
                pod = draft.snapshot.pods[uid]
                likeness = self._screens.likeness(pod)
                if likeness != unit.key:
                    draft.queue.leave(uid)
                    draft.queue.enter(pod, likeness, grouped=False, local=likeness.local)
                    draft.queue.look_anew(unit)

    def _enter(self, pod: pods.PodView) -> None:
        """Put a pod into line, with those that it is granted with or that have the same chances."""
        group = self._draft.group_of(pod)
        if group is None or group.complete or group.was_served(pod):
            likeness = self._screens.likeness(pod)
            self._draft.queue.enter(pod, likeness, grouped=False, local=likeness.local)
            self._watch(pod)
        else:
            self._draft.queue.enter(pod, (pod.namespace, pod.pod_group), grouped=True, local=False)

    def _watch(self, pod: pods.PodView) -> None:
        """Look at a pod again when it has waited for too long."""
        seconds = self._draft.snapshot.starvation_seconds
        if seconds > 0:
            self._draft.about_pod(pod.uid)
            self._draft.elapsed(pod.created, seconds)

    def _serve_first(self, unit: queue.Unit) -> bool:
        """Grant the first pod of a unit; False when it, and so all of them, found no place."""
        draft = self._draft
        pod = draft.snapshot.pods[unit.first]
        draft.about_pod(pod.uid)
        granted = self._grant(pod, self._screens.likeness_in(unit, pod))
        if granted is None:
            self._choice.found_none(unit)
            return False
        self._let_go(pod)
        departures.send(draft, pod, granted.node, granted.grants)
        return True

    def _let_go(self, pod: pods.PodView) -> None:
        self._draft.open_pod(pod.uid)
        self._draft.about_pod(pod.uid)
        self.granted.add(pod.uid)
        if self._keeper is not None:
            self._keeper.served(pod.uid)

    def _grant(
        self,
        pod: pods.PodView,
        likeness: screens.Likeness,
        before: dict[str, node_drafts.Savepoint] | None = None,
    ) -> _Granted | None:
        """Grant one pod if it fits anywhere; ``before`` collects what undoes it."""
        draft = self._draft
        found = self._choice.best(pod, likeness)
        if found is None:
            return None
        node, changed = found.node, found.node.ledger
        if before is not None:
            before.setdefault(node.name, node.savepoint())
        since = departures.since_of(draft, pod)
        granted = tuple([each.granted(pod, span, since) for each, span in zip(pod.requests, found.spans, strict=True)])
        for grant in granted:
            changed = changed.add(grant)
        given = plans.listed(f"{grant.container} {grant.span}" for grant in granted)
        node.change(changed, f"{pod.key} is granted {given}")
        draft.promises.make(pod, node.name)
        return _Granted(node, granted)

    # --- groups --------------------------------------------------------------------------------------------------

    def _serve_group(self, unit: queue.Unit) -> None:
        """Grant all that the group still needs, or nothing; no pod is let go before all grants are stored."""
        draft = self._draft
        members = [draft.snapshot.pods[uid] for uid in unit.uids]
        group = draft.group_of(members[0])
        if group is None:  # pragma: no cover - a unit of a group has members, and they name it
            return
        if group.served + len(members) < group.size:
            unit.lacks_members = True
            self._wait_for_members(members, group)
            _take_back(draft, group)
            self._choice.found_none(unit)
        elif self._grant_together(members[: group.size - group.served]):
            for pod in members:
                self._let_go(pod)
                message = f"{group}: the others are written down first, then all of them start."
                draft.wait(pod.uid, plans.Waiting(reasons.WaitingReason.POD_GROUP, message, passing=True))
        else:
            unit.lacks_members = False
            _take_back(draft, group)
            self._choice.found_none(unit)

    def _grant_together(self, needed: list[pods.PodView]) -> bool:
        """Grant all of them or none."""
        draft = self._draft
        before: dict[str, node_drafts.Savepoint] = {}
        stored = draft.cluster.storage
        # the hardest first: what is left over is then easier to use
        for pod in sorted(needed, key=lambda pod: (-pod.neuroncores, -pod.neuron_devices, *kept.rank(pod))):
            draft.about_pod(pod.uid)
            granted = self._grant(pod, self._screens.likeness(pod), before)
            if granted is not None:
                departures.reserve_volumes(
                    draft, pod, granted.node
                )  # one that stands alone is sent at once, which does it
                continue
            for name, savepoint in before.items():
                draft.nodes[name].restore(savepoint)
            for other in needed:
                draft.promises.break_all(other.uid)
            draft.cluster.assume(stored)
            return False
        return True

    def _wait_for_members(self, members: list[pods.PodView], group: groups.Group) -> None:
        way_out = "create the missing pods with the same annotation, or make pod-group-size smaller"
        if group.present >= group.size:
            way_out = "the others cannot be considered now; their own conditions and Events say why"
        for pod in members:
            message = f"{group}: {way_out}."
            self._draft.wait(pod.uid, plans.Waiting(reasons.WaitingReason.POD_GROUP, message))


def _take_back(draft: drafts.Draft, group: groups.Group) -> None:
    """Take the cores back from a group that cannot be served now; once one pod has started, the group was served."""
    if group.started:
        return
    for uid in sorted(group.granted & draft.resumable):
        pod = draft.snapshot.pods[uid]
        why = f"Its grant is being taken back: {group}, and the others do not fit now."
        departures.revoke(draft, pod, (grant for _, granted in draft.granted_on(pod) for grant in granted), why)
