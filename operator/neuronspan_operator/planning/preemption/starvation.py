"""The place that is kept for a pod that has waited for too long. Pure.

Law: while a place is kept nobody of lower rank comes into it, so what is counted of it never grows: cores whose holders
came after the wait was too long, then cores of pods that do not end by themselves, then cores that are held. The place
with the least is chosen anew in every pass, and so only ever exchanged for a better one.
"""

import dataclasses
import datetime as dt
import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from neuronspan import grants, placement, spans
from neuronspan.fitting import places
from neuronspan_operator.objects import neuron_nodes, pods
from neuronspan_operator.planning.drafting import drafts, kept, placements
from neuronspan_operator.planning.preemption import searching, trials

START_SECONDS: Final = 10.0
"""From a pod's grant until kubelet knows of it, by all clocks involved; one that takes longer counts as a late one."""


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class _Window:
    late: int  # cores of pods that came after the wait was too long
    lasting: int  # cores of pods that do not end by themselves
    held: int
    node: str
    spans: placements.Spans
    holders: frozenset[str] = dataclasses.field(compare=False)


def place(draft: drafts.Draft, pod: pods.PodView) -> kept.Place | None:
    """Return the place to keep: where least has to end; None where more than cores would be lacking then."""
    question = trials.Question(draft, pod)
    if question.screen.of_pod is not None:
        return None
    too_long = neuron_nodes.moment(pod.created) + dt.timedelta(seconds=draft.snapshot.starvation_seconds)

    def ask(trial: trials.Trial) -> list[_Window]:
        return sorted(_windows(draft, trial, too_long))

    found = (windows for _, windows in searching.each_nearby(question, ("starved", pod.uid), too_long, ask))
    for best in heapq.merge(*found):
        trial = question.trial(best.node)
        if trial is not None and trial.admits(best.holders):
            return kept.Place(pod, best.node, best.spans, starved=True)
    return None


def _windows(draft: drafts.Draft, trial: trials.Trial, too_long: dt.datetime) -> Iterator[_Window]:
    for wanted, held in _places(draft, trial):
        late = sum(_shared(grant, wanted) for grant in held if _came_after(draft, grant, too_long))
        lasting = sum(_shared(grant, wanted) for grant in held if _is_lasting(draft, grant))
        count = sum(_shared(grant, wanted) for grant in _in(wanted, trial.node.ledger.grants))
        holders = frozenset(grant.pod_uid for grant in held)
        yield _Window(late, lasting, count, trial.node.name, wanted, holders)


def _places(draft: drafts.Draft, trial: trials.Trial) -> Iterator[tuple[placements.Spans, list[grants.Grant]]]:
    """Yield where the pod could be, and the grants in its way: every window; with several containers one place."""
    if len(trial.requests) == 1:
        yield from (((window,), held) for window, held in trial.windows())
        return
    node = trial.node
    lasting = [grant.span for grant in trial.grants if _is_lasting(draft, grant)]
    for taken in ((*trial.closed, *lasting), trial.closed):
        found = places.place_all(node.hardware, taken, trial.requests, node.policy.packing)
        if not isinstance(found, placement.Unplaceable):
            yield found, list(_in(found, trial.grants))
            return


def _in(wanted: Sequence[spans.CoreSpan], among: Iterable[grants.Grant]) -> Iterator[grants.Grant]:
    return (grant for grant in among if any(grant.span.overlaps(span) for span in wanted))


def _shared(grant: grants.Grant, wanted: Sequence[spans.CoreSpan]) -> int:
    """Count the cores of the grant that are in the place."""
    parts = (range(max(grant.span.first, span.first), min(grant.span.end, span.end)) for span in wanted)
    return sum(map(len, parts))


def _came_after(draft: drafts.Draft, grant: grants.Grant, moment: dt.datetime) -> bool:
    """Whether a pod got its cores after that moment.

    Told by kubelet's time once there is one: the ledger's is that of the grant's state, and changes with it.
    """
    pod = draft.snapshot.pods.get(grant.pod_uid)
    if pod is not None and pod.started:
        return neuron_nodes.moment(pod.started) > moment + dt.timedelta(seconds=START_SECONDS)
    return neuron_nodes.moment(grant.since) > moment


def _is_lasting(draft: drafts.Draft, grant: grants.Grant) -> bool:
    pod = draft.snapshot.pods.get(grant.pod_uid)
    return pod is not None and pod.lasting
