"""Which nodes are looked at for a pod that wants room made, and whose end is the best of all that was found. Pure.

Law: a search looks for victims on ``NODES`` nodes at most, and on others when it is made again later: what it costs has
a bound, however large the cluster is.
"""

import dataclasses
import itertools
import zlib
from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import drafts, placements
from neuronspan_operator.planning.preemption import allowances, trials, victims

A = TypeVar("A")

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

    def ask(trial: trials.Trial) -> victims.Candidate | None:
        return victims.best(trial, pod, allowance, draft.snapshot.spared)

    kind = "victims", placements.shape(pod), placements.surroundings(pod), pod.priority
    basis = allowance.basis, frozenset(draft.snapshot.spared)  # a copy: what is known changes under our hands
    found = (candidate for _, candidate in each_nearby(question, kind, basis, ask, draft.now.timestamp()))
    best = min((each for each in found if each is not None), default=None)
    if best is None and len(draft.nodes) > NODES:
        draft.elapsed(draft.since, AGAIN_SECONDS)
    return best


@dataclasses.dataclass(frozen=True, slots=True)
class _Answer(Generic[A]):
    """What was found on a node; ``found`` is None where the pod cannot be, whoever ends."""

    state: Hashable  # of what a pass decides about the node without changing it
    found: tuple[A] | None


def each_nearby(
    question: trials.Question,
    kind: Hashable,
    basis: Hashable,
    ask: Callable[[trials.Trial], A],
    seconds: float = 0.0,
) -> Iterator[tuple[str, A]]:
    """Yield what is answered about the nodes that are looked at for a pod, each with its name.

    Pods that are alike for the question have the same ``kind``, and share the answers; ``basis`` is all that these
    depend on beside nodes. With time (``seconds``) other nodes are looked at; the one the pod is nominated for always.
    """
    others = None if question.screen.is_plain else question.draft.cluster.relations
    known: dict[str, _Answer[A]] = question.draft.remembered.of(kind, (basis, others))
    count = 0
    for name in _in_turn(question, seconds):
        state = question.state(name)
        answer = known.get(name)
        if answer is None or answer.state != state:
            trial = question.trial(name)
            answer = known[name] = _Answer(state, None if trial is None else (ask(trial),))
        if answer.found is not None:
            count += 1
            yield name, answer.found[0]
        if count == NODES:
            return


def _in_turn(question: trials.Question, seconds: float) -> Iterator[str]:
    """Yield the names of nodes, from another one on for each pod and each time."""
    nominated = question.pod.nominated_node
    ordered = question.draft.table.names
    round_ = int(seconds / AGAIN_SECONDS) if len(ordered) > NODES else 0
    start = (zlib.crc32(question.pod.uid.encode()) + round_ * NODES) % max(1, len(ordered))
    yield nominated
    turns = itertools.islice(itertools.chain(range(start, len(ordered)), range(start)), _LOOKED_AT)
    yield from (ordered[index] for index in turns if ordered[index] != nominated)
