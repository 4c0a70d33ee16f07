"""What pods have in common that may be on the same nodes, and the filters that they share. Pure.

Law: a shared screen says of a pod what one made anew for it would say. Plain pods of equal shape share one; who is
plain is found out anew whenever pods begin or cease to forbid others anything.
"""

from collections.abc import Hashable
from typing import Final, NamedTuple

from neuronspan_operator.objects import pods
from neuronspan_operator.planning.choosing import rankings
from neuronspan_operator.planning.drafting import drafts, placements, queue
from neuronspan_operator.scheduling import screening

_SHARED: Final = 256
_KINDS: Final = 1024
"""Pods of different shape or surroundings of which it is remembered whether they are plain."""


class Likeness(NamedTuple):
    """Pods of equal likeness may be on the same nodes."""

    shape: placements.Shape
    priority: int
    containers: tuple[str, ...]  # they are named in what is said
    around: Hashable | None  # what decides beyond a node; None when other nodes have no part in it
    excluded: frozenset[str]

    @property
    def local(self) -> bool:
        """Whether other nodes have no part in whether a node will do."""
        return self.around is None


class Screens:
    """Screens of the pods of a draft; ``opinions`` are those of its cluster by which who is plain was found out."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._shared: rankings.Recent[screening.Screen] = rankings.Recent(_SHARED)  # by shape
        self._plain: rankings.Recent[bool] = rankings.Recent(_KINDS)  # by shape and surroundings
        self.opinions = draft.cluster.opinions

    def tell_apart(self) -> None:
        """Find out anew from here on who is plain."""
        self.opinions = self._draft.cluster.opinions
        self._plain = rankings.Recent(_KINDS)

    def likeness(self, pod: pods.PodView) -> Likeness:
        """Return what the pod has in common with those that may be on the same nodes."""
        shape, around = placements.shape(pod), placements.surroundings(pod)
        containers = tuple([each.container for each in pod.requests])
        seen = None if self._is_plain(pod, (shape, around)) else around
        return Likeness(shape, pod.priority, containers, seen, self._draft.excluded(pod.uid))

    def likeness_in(self, unit: queue.Unit, pod: pods.PodView) -> Likeness:
        """Return the likeness of a pod of a unit: that of all of them, unless they are a group."""
        return unit.key if isinstance(unit.key, Likeness) else self.likeness(pod)

    def of(self, pod: pods.PodView, likeness: Likeness) -> screening.Screen:
        """Return what the pod may use of the cluster as it is now; valid until that changes."""
        if not likeness.local or self.opinions != self._draft.cluster.opinions:
            return screening.Screen(pod, self._draft.cluster)
        found = self._shared.get(likeness.shape)
        if found is None:
            found = screening.Screen(pod, self._draft.cluster)
            self._shared.put(likeness.shape, found)
        return found

    def _is_plain(self, pod: pods.PodView, kind: tuple[placements.Shape, Hashable]) -> bool:
        if self.opinions != self._draft.cluster.opinions:
            return screening.Screen(pod, self._draft.cluster).is_plain
        found = self._plain.get(kind)
        if found is None:
            found = screening.Screen(pod, self._draft.cluster).is_plain
            self._plain.put(kind, found)
        return found
