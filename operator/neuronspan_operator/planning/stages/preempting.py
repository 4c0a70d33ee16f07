"""Pods that found no place wait for those that are ending, or have others of lower priority ended.

Law: as ``preemption`` says. At most ``MOST`` pods have others ended in one pass, and ``SEARCHES`` look for victims; the
rest look when the next pass comes. What was found stands until something about it changes, or for a while.
"""

import datetime as dt
import functools
import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Final

from neuronspan_operator import reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, kept, parts, placements, queue
from neuronspan_operator.planning.preemption import allowances, keeping, searching, victims

MOST: Final = 4
SEARCHES: Final = 16
CONSIDERED: Final = 64
"""Pods, those of the highest ranks, for which places are kept and victims looked for in one pass."""
_PAUSE_SECONDS: Final = 1.0
"""Until the next pass looks, if nothing brings one before."""


class Preempting:
    """Kept with its draft; ``again`` is the time after which everything is looked at anew.

    ``keeper`` keeps places in this pass; None while the places of an earlier one stand.
    """

    def __init__(self, draft: drafts.Draft, again: dt.timedelta) -> None:
        self.keeper: keeping.Keeper | None = None
        self._draft = draft
        self._again = again
        self._looked_at: dt.datetime | None = None
        self._seen = queue.NEVER
        self._decided: set[str] = set()  # UIDs of pods that wait for an end
        self._before: Mapping[str, kept.Place] = {}
        self._left = 0

    @property
    def looks(self) -> bool:
        """Whether this pass finds out anew which places are kept, and who ends for whom."""
        return self.keeper is not None

    # --- a pass --------------------------------------------------------------------------------------------------

    def begin(self, undecided: Iterable[pods.PodView], *, anew: bool) -> list[pods.PodView]:
        """Find out whether to look in this pass; return the pods that are undecided again then.

        ``anew`` says that other pods may be ended than before.
        """
        draft = self._draft
        fresh = list(undecided)
        concerned = any(map(self._concerns, fresh)) or self._concerns_queue()
        places = draft.kept.all()
        self.keeper = None
        if not (concerned or places):
            return []
        if not (anew or any(map(self._concerns, fresh)) or self._is_due(places)):
            self._drop_left(places, {pod.uid for pod in fresh})
            return []
        self._looked_at = draft.now
        self._left = CONSIDERED
        self._before = places
        for place in places.values():
            draft.kept.drop(place.pod.uid)
        self._drop_left(places, {pod.uid for pod in fresh})
        self.keeper = keeping.Keeper(draft)
        again = sorted(uid for uid in self._decided | places.keys() if uid in draft.queue)
        self._decided.clear()
        for uid in again:
            draft.open_pod(uid)
        return [draft.snapshot.pods[uid] for uid in again]

    def _concerns(self, pod: pods.PodView) -> bool:
        return searching.may_preempt(self._draft, pod) or keeping.is_starved(self._draft, pod)

    def _concerns_queue(self) -> bool:
        """Whether a pod in the queue may have others ended, or has waited for too long."""
        draft = self._draft
        highest, lowest, oldest = draft.queue.highest_preempting, draft.lowest_priority, draft.queue.oldest
        is_above = highest is not None and lowest is not None and lowest < highest
        return is_above or (oldest is not None and keeping.is_starved(draft, draft.snapshot.pods[oldest]))

    def _is_due(self, places: Mapping[str, kept.Place]) -> bool:
        draft = self._draft
        changed = draft.journal.since(self._seen) if self._seen != queue.NEVER else None
        if self._looked_at is None or changed is None or any(place.node in changed for place in places.values()):
            return True
        due = self._looked_at + self._again
        if not self._looked_at <= draft.now < due:  # or the clock went back
            return True
        draft.parts.wake((parts.Kind.PREEMPTION, ""), due)
        return False

    def _drop_left(self, places: Mapping[str, kept.Place], fresh: set[str]) -> None:
        """Keep nothing for pods that wait no more."""
        for uid, place in places.items():
            if uid not in self._draft.queue and uid not in fresh:
                self._draft.kept.drop(uid)
                self._draft.journal.note(place.node)

    def keep(self, unit: queue.Unit) -> None:
        """Keep places for the first pods of a unit that found none."""
        draft = self._draft
        if self.keeper is None or not self._concerns(draft.snapshot.pods[unit.first]):
            return
        for uid in unit.uids[: self._left]:
            self._left -= 1
            draft.about_pod(uid)
            self.keeper.keep(draft.snapshot.pods[uid])
            self._note(uid)

    def served(self, uid: str) -> None:
        """Take it that a pod has its cores: others may have what was kept for it."""
        self._note(uid)

    def _note(self, uid: str) -> None:
        """Note on which nodes other cores are kept for a pod than before."""
        before, after = self._before.get(uid), self._draft.kept.of(uid)
        if before != after:
            for place in (before, after):
                if place is not None:
                    self._draft.journal.note(place.node)

    def run(self) -> None:
        """Decide which of the pods that found no place wait for an end, and explain these."""
        draft = self._draft
        if self.keeper is not None:
            preemptor = _Preemptor(draft)
            for pod in itertools.islice(self._candidates(), CONSIDERED):
                draft.about_pod(pod.uid)
                if preemptor.decide(pod):
                    self._decided.add(pod.uid)
        self._seen = draft.journal.position

    def _candidates(self) -> Iterator[pods.PodView]:
        """Yield the pods for which others may be ended, or are ending, by rank."""
        draft = self._draft
        able = [unit for unit in draft.queue if searching.may_preempt(draft, draft.snapshot.pods[unit.first])]
        ranks = sorted(rank for unit in able for rank in unit.order[:CONSIDERED])
        yield from (draft.snapshot.pods[rank[-1]] for rank in ranks)


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

    def decide(self, pod: pods.PodView) -> bool:
        """Wait for what is ending, or end what is in the way; False when there is nothing to wait for."""
        place = self._standing(pod)
        if (place is None or place.starved) and self._done:  # others end by now, who may make room for this one too
            place = self._keep(keeping.after_endings(self._draft, pod)) or place
        if (place is None or place.starved) and searching.may_preempt(self._draft, pod):
            found = self._find(pod)
            place = place if found is None else self._end(pod, found)
        if place is None or place.starved:
            return False
        self._draft.wait(pod.uid, _waiting(self._draft, place))
        return True

    def _standing(self, pod: pods.PodView) -> kept.Place | None:
        """Return the place that is kept for the pod, unless one before it needs some of those cores by now."""
        place = self._draft.kept.of(pod.uid)
        if place is None:
            return None
        before = self._draft.kept.against(place.node, kept.rank(pod))
        if any(mine.overlaps(span) for mine in place.spans for span in before):
            self._draft.kept.drop(pod.uid)
            self._draft.journal.note(place.node)
            return None
        return place

    def _find(self, pod: pods.PodView) -> victims.Candidate | None:
        """Look for victims; equal pods share the answer that there are none."""
        key = (placements.shape(pod), placements.surroundings(pod), pod.priority, self._draft.excluded(pod.uid))
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
        draft = self._draft
        self._done += 1
        self._allowance.spend(found.victims)
        place = kept.Place(pod, found.node, found.spans)
        self._keep(place)
        reason = (
            f"Ended for {pod.key}, whose priority is {pod.priority}: it gets NeuronCores {place.cores} of {found.node}."
        )
        for each in found.victims:
            victim = draft.snapshot.pods[each.uid]  # what was found may be remembered, and be of an older version
            draft.decide(plans.Evict(victim, reason, reasons.EventReason.PREEMPTED))
        ended = plans.listed(f"{each.key} (priority {each.priority})" for each in found.victims)
        message = f"To get NeuronCores {place.cores} of {found.node} it ends {ended}."
        draft.notice(pod, reasons.EventReason.PREEMPTING, message, warning=False)
        return place

    def _keep(self, place: kept.Place | None) -> kept.Place | None:
        if place is not None:
            self._draft.kept.keep(place)
            self._draft.journal.note(place.node)
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
