"""Says of each pod why it waits, by the strongest reason there is, when that or the pod became another.

Law: who waits is told in conditions and Events as it is now; to tell costs what is new, not who waits.
"""

import collections
import dataclasses
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from neuronspan_operator import metrics, reasons
from neuronspan_operator.objects import pods
from neuronspan_operator.planning import plans
from neuronspan_operator.telling import conditions, notices, recorder, refusals

_NEVER: Final = -1


@dataclasses.dataclass(frozen=True, slots=True)
class Why:
    """Why pods wait, by UID: for the planner, or because they are held back.

    ``granted`` are the pods with a grant in a stored ledger: that a ledger is refused is no reason for them.
    """

    planned: Mapping[str, plans.Waiting]
    held_back: Mapping[str, plans.Waiting]
    granted: Container[str]


class Voice:
    """Remembers what is said of whom; ``known`` is asked for a pod by its UID."""

    def __init__(
        self,
        refused: refusals.Refusals,
        teller: conditions.Teller,
        events: recorder.Recorder,
        meters: metrics.Metrics,
        known: Callable[[str], pods.PodView | None],
    ) -> None:
        self._refused = refused
        self._teller = teller
        self._events = events
        self._meters = meters
        self._known = known
        self._said: dict[str, plans.Waiting] = {}
        self._counts: collections.Counter[reasons.WaitingReason] = collections.Counter()
        self._lasting: dict[recorder.Key, plans.Notice] = {}  # of those that have nothing to do with waiting
        self._refusals_read = _NEVER
        self._refusing: dict[str, plans.Waiting] = {}
        self._unsaid: list[plans.Notice] = []  # of pods whose condition is refused

    @property
    def said(self) -> frozenset[str]:
        """The UIDs of all pods that wait as far as was said."""
        return frozenset(self._said)

    def say(self, news: Iterable[str], why: Why, told: Iterable[plans.Notice]) -> None:
        """Tell these pods anew, and everybody what was done; notices that last do so while they are told."""
        changed = set(news)
        changed |= self._hear_refusals(changed, why.granted)
        told = [*told, *self._unsaid]
        ended = self._ended(told)
        spoken: dict[str, plans.Waiting | None] = {}
        for uid in changed:
            pod, found = self._known(uid), self._reason(uid, why)
            self._count(uid, found)
            spoken[uid] = now = None if found is None or found.passing else found
            if pod is None:
                self._events.forget(uid)
            elif now is None:
                ended.append((uid, reasons.EventReason.FAILED_SCHEDULING))
            else:
                told.append(notices.waits(pod, now))
        self._teller.tell(spoken, self._known)
        self._events.tell(told, ended)
        for reason, count in self._counts.items():
            self._meters.waiting.labels(reason).set(count)

    # --- inside --------------------------------------------------------------------------------------------------

    def _reason(self, uid: str, why: Why) -> plans.Waiting | None:
        """Return what counts: that a write is refused, then that the pod is held back, then what the planner says."""
        return self._refusing.get(uid) or why.held_back.get(uid) or why.planned.get(uid)

    def _count(self, uid: str, found: plans.Waiting | None) -> None:
        before = self._said.pop(uid, None)
        if before is not None:
            self._counts[before.reason] -= 1
        if found is not None:
            self._counts[found.reason] += 1
            self._said[uid] = found

    def _hear_refusals(self, changed: set[str], granted: Container[str]) -> set[str]:
        """Renew what is refused if anything about it may be otherwise; return the UIDs for which it is."""
        if self._refused.version == self._refusals_read and changed.isdisjoint(self._refused.uids):
            return set()
        self._refusals_read = self._refused.version
        before, self._refusing = self._refusing, self._refused.waiting(self._known, granted)
        self._unsaid = self._refused.notices(self._known)
        return {uid for uid in before.keys() | self._refusing.keys() if before.get(uid) != self._refusing.get(uid)}

    def _ended(self, told: Iterable[plans.Notice]) -> list[recorder.Key]:
        """Take which notices last; return those that were told before and are not told any more."""
        before = self._lasting
        self._lasting = {(each.uid, each.reason): each for each in told if each.lasting}
        return [key for key in before if key not in self._lasting]
