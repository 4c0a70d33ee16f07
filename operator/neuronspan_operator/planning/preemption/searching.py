"""Which nodes are looked at for a pod that wants room made, and whose end is the best of all that was found. Pure.

Law: a search looks for victims on ``NODES`` nodes at most, and on others when it is made again later: what it costs has
a bound, however large the cluster is.
"""

import itertools
import zlib
from collections.abc import Iterator
from typing import Final

from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import drafts
from neuronspan_operator.planning.preemption import allowances, trials, victims

NODES: Final = 100
"""As many as kube-scheduler looks at in clusters of up to a thousand nodes (minCandidateNodesAbsolute)."""
_LOOKED_AT: Final = 1000
"""Nodes whose labels, taints and state are looked at to find those."""
AGAIN_SECONDS: Final = 10.0
"""After this time a pod that found nothing looks at the next nodes."""


def may_preempt(draft: drafts.Draft, pod: pods.PodView) -> bool:
    """Whether pods may be ended for this one, if that helps.

    Guests have a scheduler that decides such things for them; a group that is not served yet would need room for all of
    its pods at once, which is not searched for.
    """
    group = draft.group_of(pod)
    is_alone = group is None or group.complete or group.was_served(pod)
    is_above = draft.lowest_priority is not None and draft.lowest_priority < pod.priority
    return is_above and is_alone and pod.preempts and not pod.gated


def find(draft: drafts.Draft, pod: pods.PodView, allowance: allowances.Allowance) -> victims.Candidate | None:
    """Return the best victims on the nodes that are looked at now."""
    question = trials.Question(draft, pod)
    if question.screen.of_pod is not None:  # no node would do, whoever ends
        return None
    found = (
        victims.best(trial, pod, allowance, draft.snapshot.spared) for trial in nearby(question, draft.now.timestamp())
    )
    best = min((each for each in found if each is not None), default=None)
    if best is None and len(draft.nodes) > NODES:
        draft.elapsed(draft.since, AGAIN_SECONDS)
    return best


def nearby(question: trials.Question, seconds: float = 0.0) -> Iterator[trials.Trial]:
    """Yield the nodes that are looked at for a pod: the one it is nominated for first, and with time others."""
    nominated = question.pod.nominated_node
    ordered = question.draft.table.names
    round_ = int(seconds / AGAIN_SECONDS) if len(ordered) > NODES else 0
    start = (zlib.crc32(question.pod.uid.encode()) + round_ * NODES) % max(1, len(ordered))
    turns = itertools.chain(range(start, len(ordered)), range(start))
    others = (ordered[index] for index in turns if ordered[index] != nominated)
    possible = map(question.trial, itertools.chain([nominated], itertools.islice(others, _LOOKED_AT)))
    return itertools.islice((trial for trial in possible if trial is not None), NODES)
