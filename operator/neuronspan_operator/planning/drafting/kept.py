"""Cores that are kept free for pods that wait: others of lower rank get none of them. Pure bookkeeping.

Law: a kept place is a promise about others, never a grant: its pod gets the cores as everybody does, when they are
free. Nothing of it is stored; it follows anew from what is known, so that another operator comes to the same places.
"""

import collections
import dataclasses

from neuronspan import spans
from neuronspan_operator.objects import pods

Rank = tuple[int, str, str]


def rank(pod: pods.PodView) -> Rank:
    """Return the pod's place in the order in which pods are given cores; a smaller one comes first."""
    return -pod.priority, pod.created, pod.uid


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Cores of one node that are kept for one pod."""

    pod: pods.PodView
    node: str
    spans: tuple[spans.CoreSpan, ...]
    starved: bool = False  # kept because it waits for long, not because pods are ending there

    @property
    def cores(self) -> str:
        """The cores, as sentences name them."""
        return ", ".join(map(str, self.spans))


class Places:
    """The kept places: at most one per pod."""

    def __init__(self) -> None:
        self._of: dict[str, Place] = {}
        self._on: dict[str, dict[str, Place]] = collections.defaultdict(dict)

    def keep(self, place: Place) -> None:
        """Keep a place, instead of what was kept for that pod before."""
        self.drop(place.pod.uid)
        self._of[place.pod.uid] = place
        self._on[place.node][place.pod.uid] = place

    def drop(self, uid: str) -> None:
        """Keep nothing for a pod any more."""
        before = self._of.pop(uid, None)
        if before is not None:
            del self._on[before.node][uid]
            if not self._on[before.node]:
                del self._on[before.node]

    def all(self) -> dict[str, Place]:
        """Return all of them, by the UID of their pod."""
        return dict(self._of)

    def before(self, asking: Rank) -> set[str]:
        """Return the nodes where anything is kept that a pod of this rank must leave alone."""
        return {place.node for place in self._of.values() if rank(place.pod) < asking}

    def of(self, uid: str) -> Place | None:
        """Return what is kept for a pod."""
        return self._of.get(uid)

    def against(self, node: str, asking: Rank) -> tuple[spans.CoreSpan, ...]:
        """Return the cores of a node that a pod of this rank must leave to pods before it."""
        there = self._on.get(node)
        if not there:
            return ()
        return tuple(span for place in there.values() if rank(place.pod) < asking for span in place.spans)
