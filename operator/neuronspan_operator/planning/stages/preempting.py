"""Pods that found no place wait for those that are ending, or have others of lower priority ended.

Law: as ``preemption`` says. At most ``MOST`` pods have others ended in one pass, and ``SEARCHES`` look for victims; the
rest look when the next pass comes.
"""

import functools
from collections.abc import Hashable
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import drafts, kept, placements, plans
from neuronspan_operator.planning.preemption import allowances, keeping, searching, victims

MOST: Final = 4
SEARCHES: Final = 16
_PAUSE_SECONDS: Final = 1.0
"""Until the next pass looks, if nothing brings one before."""


def run(draft: drafts.Draft) -> None:
    """Decide for every unserved pod whether it waits for an end; who does is explained here."""
    preemptor = _Preemptor(draft)
    for pod in sorted(draft.unserved, key=kept.rank):
        preemptor.decide(pod)
    draft.unserved = [pod for pod in draft.unserved if pod.uid not in draft.waiting]


class _Preemptor:
    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._hopeless: set[Hashable] = set()
        self._searches = 0
        self._done = 0

    @functools.cached_property
    def _allowance(self) -> allowances.Allowance:
        """What the budgets allow beside what ends anyway; nobody counts them while nobody looks for victims."""
        return allowances.of(self._draft.snapshot.budgets, (each.pod for each in self._draft.evictions))

    def decide(self, pod: pods.PodView) -> None:
        """Wait for what is ending, or end what is in the way."""
        place = self._standing(pod)
        if (place is None or place.starved) and self._done:  # others end by now, who may make room for this one too
            place = self._keep(keeping.after_endings(self._draft, pod)) or place
        if (place is None or place.starved) and searching.may_preempt(self._draft, pod):
            found = self._find(pod)
            place = place if found is None else self._end(pod, found)
        if place is not None and not place.starved:
            self._draft.waiting[pod.uid] = _waiting(self._draft, place)

    def _standing(self, pod: pods.PodView) -> kept.Place | None:
        """Return the place that is kept for the pod, unless one before it needs some of those cores by now."""
        place = self._draft.kept.of(pod.uid)
        if place is None:
            return None
        before = self._draft.kept.against(place.node, kept.rank(pod))
        if any(mine.overlaps(span) for mine in place.spans for span in before):
            self._draft.kept.drop(pod.uid)
            return None
        return place

    def _find(self, pod: pods.PodView) -> victims.Candidate | None:
        """Look for victims; equal pods share the answer that there are none."""
        kind = (placements.shape(pod), placements.surroundings(pod), pod.priority, self._draft.excluded(pod.uid))
        key = (*kind[:3], frozenset(kind[3]))
        if key in self._hopeless:
            return None
        if self._done >= MOST or self._searches >= SEARCHES:
            self._draft.elapsed(self._draft.since, _PAUSE_SECONDS)
            return None
        self._searches += 1
        found = searching.find(self._draft, pod, self._allowance)
        if found is None:
            self._hopeless.add(key)
        return found

    def _end(self, pod: pods.PodView, found: victims.Candidate) -> kept.Place:
        self._done += 1
        self._allowance.spend(found.victims)
        place = kept.Place(pod, found.node, found.spans)
        self._keep(place)
        reason = (
            f"Ended for {pod.key}, whose priority is {pod.priority}: it gets NeuronCores {place.cores} of {found.node}."
        )
        for victim in found.victims:
            self._draft.evictions.append(plans.Evict(victim, reason, reasons.EventReason.PREEMPTED))
        ended = plans.listed(f"{each.key} (priority {each.priority})" for each in found.victims)
        message = f"To get NeuronCores {place.cores} of {found.node} it ends {ended}."
        self._draft.notice(pod, reasons.EventReason.PREEMPTING, message, warning=False)
        return place

    def _keep(self, place: kept.Place | None) -> kept.Place | None:
        if place is not None:
            self._draft.kept.keep(place)
        return place


def _waiting(draft: drafts.Draft, place: kept.Place) -> plans.Waiting:
    """Say whose end the pod waits for: those who have its cores, else whoever is ending there."""
    held = [f"{each.namespace}/{each.pod} (cores {each.span})" for each in keeping.holders(draft, place)]
    evicted = {each.pod.uid for each in draft.evictions}
    there = draft.cluster.nodes[place.node].pods
    others = (each.key for uid, each in there.items() if each.deleted or uid in evicted)
    ended = plans.listed(held or sorted(others))
    message = f"It gets NeuronCores {place.cores} of {place.node} and waits for the end of {ended}."
    return plans.Waiting(reasons.WaitingReason.PREEMPTING, message, place.node)
