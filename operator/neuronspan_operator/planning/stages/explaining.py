"""Why each pod that found no place has no cores, and what would make it fit.

Law: every pod that is left in the queue has its sentence; it is said at once, and said anew only after a while, those
first that were said longest ago. So an event costs no more where many pods wait alike.
"""

import datetime as dt
from collections.abc import Iterable

from neuronspan_operator import reasons
from neuronspan_operator.objects import neuron_nodes
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, parts, queue
from neuronspan_operator.planning.explanations import explainer

MOST_LOOKS = 10_000
"""Looks at nodes to say again what was said before; whoever's turn does not come waits for the next time."""


class Explaining:
    """Kept with its draft; ``again`` is the time between two rounds of explanations that were given before."""

    def __init__(self, draft: drafts.Draft, again: dt.timedelta) -> None:
        self._draft = draft
        self._again = again
        self._next_round = neuron_nodes.moment("")
        self._explainer = explainer.Explainer(draft)
        self._looked_at = queue.NEVER, queue.NEVER
        self._is_behind = False

    def run(self) -> None:
        """Explain every pod that found no place, and what may have another explanation by now."""
        draft = self._draft
        if self._next_round > draft.now + self._again:  # the clock went back
            self._next_round = draft.now
        is_time = self._next_round <= draft.now
        self._fall_behind()
        for unit in list(draft.queue.untold.values()):
            if unit.lacks_members:
                continue
            if unit.told_at is None:
                self._explain(unit)
            else:
                self._tell(unit, unit.untold)
        if self._is_behind and is_time:
            self._explain_again()
        elif self._is_behind:
            self._wake()

    def _fall_behind(self) -> None:
        """Note whether what was explained before speaks of what is not so any more."""
        line, moment = self._draft.queue, self._moment()
        new = sum(unit.told_at is None for unit in line.untold.values())
        self._is_behind = len(line) > new and (self._is_behind or moment != self._looked_at)
        self._looked_at = moment

    def _explain_again(self) -> None:
        moment = self._moment()
        stale = [
            (unit.told_at, unit.order[0], unit)
            for unit in self._draft.queue
            if unit.told_at is not None and unit.told != moment and not unit.lacks_members
        ]
        limit = self._explainer.looks + MOST_LOOKS
        for _, _, unit in sorted(stale, key=lambda each: each[:2]):
            if self._explainer.looks >= limit:
                self._wake()
                return
            self._explain(unit)
        self._is_behind = False

    def _explain(self, unit: queue.Unit) -> None:
        unit.answer = None
        unit.told_at, unit.told = self._draft.now, self._moment()
        if self._next_round <= self._draft.now:
            self._next_round = self._draft.now + self._again
        self._tell(unit, unit.uids)

    def _tell(self, unit: queue.Unit, uids: Iterable[str]) -> None:
        draft = self._draft
        for uid in sorted(uids):
            if uid in draft.waiting and draft.waiting[uid].reason is reasons.WaitingReason.PREEMPTING:
                continue
            answer = unit.answer or self._explainer.explain(draft.snapshot.pods[uid if unit.grouped else unit.first])
            if not unit.grouped:  # all of one likeness wait for the same
                unit.answer = answer
            draft.wait(uid, self._with_place(uid, answer))
        unit.untold.clear()
        draft.queue.untold.pop(unit.key, None)

    def _wake(self) -> None:
        self._draft.parts.wake((parts.Kind.EXPLANATIONS, ""), self._next_round)

    def _with_place(self, uid: str, answer: plans.Waiting) -> plans.Waiting:
        place = self._draft.kept.of(uid)
        if place is None:
            return answer
        words = f"It has waited so long that NeuronCores {place.cores} of {place.node} are kept for it."
        return plans.Waiting(answer.reason, f"{answer.message} {words}")

    def _moment(self) -> tuple[int, int]:
        """Return what grows with everything that explanations speak of."""
        return self._draft.journal.position, self._draft.cluster.relations
