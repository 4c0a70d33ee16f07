"""Why each pod that found no place has no cores, and what would make it fit.

Law: every pod that is left in the queue has its sentence; it is said at once, and said anew only after a while.
"""

import datetime as dt
from collections.abc import Iterable

from neuronspan_operator import reasons
from neuronspan_operator.planning import plans
from neuronspan_operator.planning.drafting import drafts, parts, queue
from neuronspan_operator.planning.explanations import explainer


class Explaining:
    """Kept with its draft; ``renew`` is the time between two explanations of the same pods."""

    def __init__(self, draft: drafts.Draft, renew: dt.timedelta) -> None:
        self._draft = draft
        self._renew = renew
        self._explainer = explainer.Explainer(draft)

    def run(self) -> None:
        """Explain every pod that found no place, and was not explained lately as things are now."""
        for unit in self._draft.queue:
            if not unit.lacks_members:
                self._explain(unit)

    def _explain(self, unit: queue.Unit) -> None:
        draft = self._draft
        uids: Iterable[str] = unit.untold
        if self._is_due(unit):
            uids, unit.answer = unit.uids, None
            unit.told_at, unit.told = draft.now, self._moment()
        for uid in sorted(uids):
            if uid in draft.waiting and draft.waiting[uid].reason is reasons.WaitingReason.PREEMPTING:
                continue
            pod = draft.snapshot.pods[uid if unit.grouped else unit.first]
            answer = unit.answer or self._explainer.explain(pod)
            if not unit.grouped:  # all of one likeness wait for the same
                unit.answer = answer
            draft.wait(uid, self._with_place(uid, answer))
        unit.untold.clear()

    def _with_place(self, uid: str, answer: plans.Waiting) -> plans.Waiting:
        place = self._draft.kept.of(uid)
        if place is None:
            return answer
        words = f"It has waited so long that NeuronCores {place.cores} of {place.node} are kept for it."
        return plans.Waiting(answer.reason, f"{answer.message} {words}")

    def _is_due(self, unit: queue.Unit) -> bool:
        draft = self._draft
        if unit.told_at is None:
            return True
        if unit.told == self._moment():
            return False
        due = unit.told_at + self._renew
        if due > draft.now:
            draft.parts.wake((parts.Kind.EXPLANATIONS, ""), due)
        return due <= draft.now

    def _moment(self) -> tuple[int, int]:
        """Return what grows with everything that explanations speak of."""
        return self._draft.journal.position, self._draft.cluster.relations
