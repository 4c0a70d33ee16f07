"""What the loop makes of what changed: who is held back, and from where pods keep away, beside what is known anyway.

Law: nothing is decided about cores; what is told to the planner is what these rules changed.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from neuronspan_operator.objects import pods
from neuronspan_operator.planning import facts
from neuronspan_operator.reconciling.memory import avoidance, holdings, pauses, storms


@dataclasses.dataclass(frozen=True, slots=True)
class Lesson:
    """Changes for the planner, and the UIDs of all pods about which anything is otherwise."""

    changes: facts.Changes
    touched: frozenset[str]


class Learning:
    """The loop's memory; ``clock`` gives seconds that never go back, ``known`` is asked for a pod by its UID."""

    def __init__(self, clock: Callable[[], float], known: Callable[[str], pods.PodView | None]) -> None:
        self.failures = pauses.Pauses(clock)
        self.holdings = holdings.Holdings()
        self.storms = storms.StormGuard(self.failures, self.holdings, known)
        self.avoidance = avoidance.Avoidance(clock, known)
        self._spared: AbstractSet[str] = frozenset()

    def take(self, changes: facts.Changes, spared: AbstractSet[str] = frozenset()) -> Lesson:
        """Take what changed in the cluster, and whom the API server would not evict; return it with what follows."""
        touched = changes.pods.keys() | self.holdings.take(changes.members)
        held_back = self.storms.observe(touched)
        avoided = self.avoidance.observe(changes.pods)
        told = {uid: uid in spared for uid in spared ^ self._spared}
        self._spared = spared
        lesson = changes._replace(held_back=held_back, avoided=avoided, spared=told)
        return Lesson(lesson, frozenset(touched | held_back.keys()))

    def added_to(self, everything: facts.Changes) -> facts.Changes:
        """Return all that is known together with all that was learnt, for a planner that knows nothing yet."""
        held_back = dict.fromkeys(self.storms.waiting, True)
        spared = dict.fromkeys(self._spared, True)
        return everything._replace(held_back=held_back, avoided=dict(self.avoidance.avoided), spared=spared)

    def next_release(self) -> float | None:
        """Return the seconds after which something may be tried again, None when nothing is left alone."""
        waits = self.failures.next_release(), self.avoidance.next_release()
        return min((wait for wait in waits if wait is not None), default=None)
