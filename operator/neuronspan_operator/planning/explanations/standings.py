"""How far one node gets for pods of one shape, and what stops it there. Pure.

Law: a standing depends on the pod's shape, on this node and on the pods that are on it; on nothing else.
"""

import dataclasses
import enum

from neuronspan import instance_types, placement, spans
from neuronspan.fitting import refusals, windows
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests, pods, pools
from neuronspan_operator.planning.drafting import drafts, node_drafts, placements
from neuronspan_operator.planning.explanations import remedies
from neuronspan_operator.scheduling import node_resources, objections, screening
from neuronspan_operator.scheduling.counting import node_states

_CORDON = reasons.ObjectionKind.UNSCHEDULABLE


class Hurdle(enum.IntEnum):
    """What a node has behind it; each one counts on those before."""

    NONE = 0
    MATCHING = 1  # name, labels and taints suit
    LARGE_ENOUGH = 2  # its hardware would do, were it empty
    USABLE = 3  # it takes pods now
    ROOMY = 4  # the cores are free


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """Where a node stands; nodes that stand alike are equal."""

    words: str = ""  # what the node is counted under, "" when it has the cores free
    kind: reasons.ObjectionKind | None = None  # of the objection against a node that has NeuronCores
    reached: Hurdle = Hurdle.NONE
    impossible: placement.Reason | None = None  # why a matching node would not do, were it empty
    cores: int = 0  # that such a node has
    ailing: int = 0  # runs of unhealthy cores that a node has which is large enough
    lacking: tuple[str, ...] = ()  # what a roomy node has too little of for such a pod, in words


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """What nodes of equal hardware and policy mean for the pods, whoever is on them."""

    impossible: placement.Reason | None  # why none of them would do
    words: str  # what such a node is counted under: for that reason, else while it has not the cores free


class Judge:
    """Judges nodes for pods that have the shape of this one."""

    def __init__(self, draft: drafts.Draft, pod: pods.PodView, shape: placements.Shape) -> None:
        self._draft = draft
        self._pod = pod
        self._shape = shape
        self._kinds: dict[tuple[instance_types.Hardware, pools.Policy], _Kind] = {}

    def standing(self, name: str, screen: screening.Screen) -> Standing | None:
        """Return where the node stands, None when there is no such node; any screen of a pod of the shape will do."""
        state = self._draft.cluster.nodes.get(name)
        if state is None:
            return None
        node = self._draft.nodes.get(name)
        found = screen.steady_objection(state)
        if node is None:
            return Standing(self._without_cores(name) if found is None else found.words)
        if found is None:
            return self._suiting(node, state)
        beside = found if found.kind is not _CORDON else _beside_cordon(screen, state)
        if beside is not None:
            return Standing(found.words, beside.kind)
        kind = self._kind(node)
        if kind.impossible is not None:
            return _too_small(node, kind.impossible, found.words)
        return Standing(found.words, reached=Hurdle.LARGE_ENOUGH, ailing=len(node.view.unhealthy))

    def _without_cores(self, name: str) -> str:
        return "node(s) with an unreadable ledger" if name in self._draft.broken else "node(s) without NeuronCores"

    def _suiting(self, node: node_drafts.NodeDraft, state: node_states.NodeState) -> Standing:
        """Return where a node stands to which nothing steady objects."""
        kind = self._kind(node)
        if kind.impossible is not None:
            return _too_small(node, kind.impossible, kind.words)
        ailing = len(node.view.unhealthy)
        if node.ineligible is not None:
            return Standing(f"node(s) {node.ineligible}", reached=Hurdle.LARGE_ENOUGH, ailing=ailing)
        if self._draft.placements.on(node, self._pod.requests, self._shape.requests) is None:
            return Standing(kind.words, reached=Hurdle.USABLE, ailing=ailing)
        lacking = tuple(each.words for each in node_resources.lacking(self._pod, state))
        return Standing(reached=Hurdle.ROOMY, ailing=ailing, lacking=lacking)

    def _kind(self, node: node_drafts.NodeDraft) -> _Kind:
        key = node.hardware, node.policy
        found = self._kinds.get(key)
        if found is None:
            requests = self._pod.requests
            reason = remedies.impossibility(node, requests)
            words = _full(self._pod, node) if reason is None else remedies.impossible_words(reason, node, requests)
            found = self._kinds[key] = _Kind(reason, words)
        return found


def _too_small(node: node_drafts.NodeDraft, why: placement.Reason, words: str) -> Standing:
    """Return where a node stands whose hardware would not do even if it were empty."""
    return Standing(words, reached=Hurdle.MATCHING, impossible=why, cores=node.hardware.cores)


def _beside_cordon(screen: screening.Screen, state: node_states.NodeState) -> objections.Objection | None:
    """Return what else is in the way on a cordoned node."""
    host = dataclasses.replace(state.host, unschedulable=False)
    return screen.steady_objection(dataclasses.replace(state, host=host))


def _full(pod: pods.PodView, node: node_drafts.NodeDraft) -> str:
    """Return what to count a node under that has not the cores free."""
    if len(pod.requests) > 1:
        return "node(s) without free runs of NeuronCores for all containers together"
    (request,) = pod.requests
    if request.first is not None:
        return f"node(s) where cores {spans.CoreSpan(request.first, request.count)} are not all free"
    wanted = request.on(node.hardware, node.policy.rules)
    if refusals.connected_runs(node.hardware, wanted):
        devices = windows.devices_for(node.hardware, wanted.count)
        return f"node(s) without a connected run of {devices} free Neuron devices"
    if request.devices:
        amount = container_requests.amount(request.resource, request.count)
        return f"node(s) without {amount} free side by side"
    return f"node(s) without {request.count} contiguous free NeuronCores"
