"""Whether a pod would fit on a node after the end of some pods there: every filter, and its cores. Pure.

Law: a trial changes nothing: what it takes out of the cluster it puts back. Pods that are ending count as gone.
"""

import dataclasses
from collections.abc import Hashable, Iterator

from neuronspan import grants, instance_types, placement, spans
from neuronspan.fitting import places
from neuronspan_operator.objects import pods
from neuronspan_operator.planning.drafting import drafts, kept, node_drafts, placements
from neuronspan_operator.scheduling import screening
from neuronspan_operator.scheduling.counting import node_states

_RELEASING = grants.GrantState.RELEASING


class Question:
    """One pod that looks for room; asked about many nodes."""

    def __init__(self, draft: drafts.Draft, pod: pods.PodView) -> None:
        self.draft = draft
        self.pod = pod
        self.rank = kept.rank(pod)
        self.screen = screening.Screen(pod, draft.cluster)
        self._excluded = draft.excluded(pod.uid)
        self._windows: dict[tuple[instance_types.Hardware, placement.Request, placements.Spans], placements.Spans] = {}

    def trial(self, name: str) -> "Trial | None":
        """Return the trial on a node; None where the pod cannot be, whoever ends."""
        node, state = self.draft.nodes.get(name), self.draft.cluster.nodes.get(name)
        if node is None or state is None or node.ineligible is not None or name in self._excluded:
            return None
        if self.screen.steady_objection(state) is not None:
            return None
        return Trial(self, node, state)

    def state(self, name: str) -> Hashable:
        """Return what counts on a node and is in no journal: with two equal ones trials are equal.

        A ledger of which only states and times changed is such a thing; that of an unchanged node is the same object.
        """
        evicted = tuple(each.pod.uid for each in self.draft.evictions if each.pod.node_name == name)
        node = self.draft.nodes.get(name)
        book = None if node is None else node.ledger
        return name in self._excluded, self.draft.kept.against(name, self.rank), evicted, book

    def windows(
        self, node: node_drafts.NodeDraft, request: placement.Request, taken: placements.Spans
    ) -> placements.Spans:
        """Return every run of cores that could serve the request, were only ``taken`` not free."""
        key = node.hardware, request, taken
        if key not in self._windows:
            starts = range(node.hardware.cores) if request.first is None else (request.first,)
            found = (places.place(*_at(node, taken, request, first), node.policy.packing) for first in starts)
            self._windows[key] = tuple(each for each in found if isinstance(each, spans.CoreSpan))
        return self._windows[key]


class Trial:
    """One node for one pod."""

    def __init__(self, question: Question, node: node_drafts.NodeDraft, state: node_states.NodeState) -> None:
        self.node = node
        self.state = state
        self.ending = _ending(question.draft, node, state)
        self.requests = [request.on(node.hardware, node.policy.rules) for request in question.pod.requests]
        self.grants = [grant for grant in node.ledger.grants if grant.pod_uid not in self.ending]
        self.closed = (*node.blocked, *question.draft.kept.against(node.name, question.rank))
        self._question = question
        self._remembered: dict[frozenset[str], placements.Spans | None] = {}

    def fits(self, ended: frozenset[str] = frozenset()) -> placements.Spans | None:
        """Return the pod's cores after the end of the pods with these UIDs; None when it does not fit."""
        if ended not in self._remembered:
            found = self._spans(ended)
            self._remembered[ended] = found if found is not None and self.admits(ended) else None
        return self._remembered[ended]

    def admits(self, ended: frozenset[str]) -> bool:
        """Whether every filter lets the pod be here after their end."""
        gone = [pod for uid, pod in self.state.pods.items() if uid in ended or uid in self.ending]
        if self._question.screen.is_plain:
            return self._question.screen.objection(_without(self.state, gone)) is None
        with self._question.draft.cluster.without(gone, self.node.name):
            return screening.Screen(self._question.pod, self._question.draft.cluster).objection(self.state) is None

    def windows(self) -> Iterator[tuple[spans.CoreSpan, list[grants.Grant]]]:
        """Yield each place of a pod with one request, and the grants that are in its way."""
        (request,) = self.requests
        for window in self._question.windows(self.node, request, self.closed):
            yield window, [grant for grant in self.grants if grant.span.overlaps(window)]

    def _spans(self, ended: frozenset[str]) -> placements.Spans | None:
        left = (grant.span for grant in self.grants if grant.pod_uid not in ended)
        node = self.node
        found = places.place_all(node.hardware, (*left, *self.closed), self.requests, node.policy.packing)
        return None if isinstance(found, placement.Unplaceable) else found


def _at(
    node: node_drafts.NodeDraft, taken: placements.Spans, request: placement.Request, first: int
) -> tuple[instance_types.Hardware, placements.Spans, placement.Request]:
    return node.hardware, taken, dataclasses.replace(request, first=first)


def _ending(draft: drafts.Draft, node: node_drafts.NodeDraft, state: node_states.NodeState) -> frozenset[str]:
    """Return the UIDs of the pods whose end on this node is only a matter of time."""
    dying = {uid for uid, pod in state.pods.items() if pod.deleted}
    released = {grant.pod_uid for grant in node.ledger.grants if grant.state is _RELEASING}
    evicted = {each.pod.uid for each in draft.evictions if each.pod.node_name == node.name}
    return frozenset(dying | released | evicted)


def _without(state: node_states.NodeState, gone: list[pods.PodView]) -> node_states.NodeState:
    left, used = dict(state.pods), dict(state.used)
    for pod in gone:
        del left[pod.uid]
        for resource, amount in pod.amounts.items():
            used[resource] -= amount
    return node_states.NodeState(state.host, left, used)
