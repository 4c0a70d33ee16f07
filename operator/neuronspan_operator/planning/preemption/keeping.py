"""What is kept free for a pod that finds no place: where pods are ending, or where a long wait gives it a right.

Law: as ``kept`` says. The places that are kept because of long waits are one per shape of pods, on a tenth of the nodes
at most; docs/concepts/preemption.md shows why such a pod starts.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

from neuronspan import grants
from neuronspan_operator.objects import neuron_nodes, pods
from neuronspan_operator.planning.drafting import drafts, kept, placements
from neuronspan_operator.planning.preemption import searching, starvation, trials

_SHARE: Final = 10
"""One in so many nodes, and at least one, can have a place that is kept because of a long wait."""


class Keeper:
    """Keeps places during a pass; pods must come in the order of their ranks."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._shapes: set[placements.Shape] = set()  # that a place is kept for because of a long wait

    def keep(self, pod: pods.PodView) -> None:
        """Keep a place for a pod that found none, if it has a right to one."""
        place = after_endings(self._draft, pod)
        if place is None and is_starved(self._draft, pod):
            place = self._after_long_wait(pod)
        if place is not None:
            self._draft.kept.keep(place)

    def _after_long_wait(self, pod: pods.PodView) -> kept.Place | None:
        shape = placements.shape(pod)
        if shape in self._shapes or len(self._shapes) >= max(1, len(self._draft.nodes) // _SHARE):
            return None
        place = starvation.place(self._draft, pod)
        if place is not None:
            self._shapes.add(shape)
        return place


def is_starved(draft: drafts.Draft, pod: pods.PodView) -> bool:
    """Whether the pod waits for so long that it has a right to a place."""
    seconds = draft.snapshot.starvation_seconds
    return seconds > 0 and neuron_nodes.moment(pod.created) + dt.timedelta(seconds=seconds) <= draft.now


def after_endings(draft: drafts.Draft, pod: pods.PodView) -> kept.Place | None:
    """Return where a pod that may preempt fits once pods are gone that are ending: its own node, else the best."""
    question = trials.Question(draft, pod) if searching.may_preempt(draft, pod) else None
    if question is None or question.screen.of_pod is not None:
        return None
    found: list[tuple[bool, int, str, placements.Spans]] = []
    ordered = sorted(draft.ending_nodes(), key=lambda name: name != pod.nominated_node)  # its own first
    for name in ordered[: searching.NODES]:
        trial = question.trial(name)
        placed = None if trial is None else trial.fits()
        if trial is not None and placed is not None:
            found.append((name != pod.nominated_node, len(trial.ending), name, placed))
    if not found:
        return None
    _, _, node, spans = min(found)
    return kept.Place(pod, node, spans)


def holders(draft: drafts.Draft, place: kept.Place) -> Iterator[grants.Grant]:
    """Yield the grants that still have cores of a kept place."""
    for grant in draft.nodes[place.node].ledger.grants:
        if any(grant.span.overlaps(span) for span in place.spans):
            yield grant
