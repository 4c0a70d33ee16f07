"""Why each unserved pod has no cores, and what would make it fit.

Law: no pod that waits for us is left without a sentence. It counts the nodes of the whole cluster per reason, as
kube-scheduler's does and in its words, and our own reasons beside them.
"""

import collections
import dataclasses
from collections.abc import Hashable, Iterator, Mapping

from neuronspan import placement, spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests, pods
from neuronspan_operator.planning import drafts, kept, node_drafts, placements, plans, remedies, ways_out
from neuronspan_operator.scheduling import cluster_state, objections, screening

_AILING_SHOWN = 3
"""Runs of unhealthy cores in one sentence: each may come with 256 characters of reason."""
_CORDON = reasons.ObjectionKind.UNSCHEDULABLE
_RESOURCES = reasons.ObjectionKind.RESOURCES


def run(draft: drafts.Draft) -> None:
    """Explain every unserved pod."""
    explainer = _Explainer(draft)
    for pod in draft.unserved:
        explainer.explain(pod)


_Counter = collections.Counter[str]
_Kinds = dict[reasons.ObjectionKind, None]  # in the order of their first appearance


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    """Where pods with the same requests and steady constraints stand; other pods and resources come later."""

    objections: _Counter  # nodes per reason
    kinds: _Kinds  # of the objections against nodes that have NeuronCores
    matching: tuple[node_drafts.NodeDraft, ...]  # name, labels and taints suit
    impossible: Mapping[str, placement.Reason]  # by name, of those: why the hardware would not do, were it empty
    large_enough: tuple[node_drafts.NodeDraft, ...]  # the others
    usable: tuple[node_drafts.NodeDraft, ...]  # and the node takes pods now
    roomy: tuple[node_drafts.NodeDraft, ...]  # and has the cores free

    def way_out(self, pod: pods.PodView) -> str:
        """Say what would make such pods fit."""
        if self.roomy:
            return f"The NeuronCores are free on {plans.listed(node.name for node in self.roomy)}."
        if not self.usable:
            return f"It would fit on {plans.listed(node.name for node in self.large_enough)}, could that be used."
        return ways_out.sentence(self.usable, pod.requests)


class _Explainer:
    """Explains unserved pods after everything else has been granted; similar pods share the work."""

    def __init__(self, draft: drafts.Draft) -> None:
        self._draft = draft
        self._verdicts: dict[Hashable, _Verdict] = {}
        self._ways_out: dict[Hashable, str] = {}
        self._answers: dict[Hashable, plans.Waiting] = {}
        self._impossible: dict[Hashable, placement.Reason | None] = {}

    def explain(self, pod: pods.PodView) -> None:
        """Say why the pod waits."""
        group = self._draft.group_of(pod)
        shape = placements.shape(pod)
        is_behind = self._draft.kept.any_before(kept.rank(pod))
        key = shape, placements.surroundings(pod), frozenset(self._draft.excluded(pod.uid)), is_behind
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._answer(pod, shape)
        if group is not None and not group.complete:
            answer = plans.Waiting(answer.reason, f"{answer.message} All of a group must fit at once: {group}.")
        place = self._draft.kept.of(pod.uid)
        if place is not None:
            kept_words = f"It has waited so long that NeuronCores {place.cores} of {place.node} are kept for it."
            answer = plans.Waiting(answer.reason, f"{answer.message} {kept_words}")
        self._draft.waiting[pod.uid] = answer

    def _answer(self, pod: pods.PodView, shape: placements.Shape) -> plans.Waiting:
        screen = screening.Screen(pod, self._draft.cluster)
        if screen.of_pod is not None:
            about_volumes = screen.of_pod.kind is reasons.ObjectionKind.VOLUMES
            reason = reasons.WaitingReason.VOLUMES if about_volumes else reasons.WaitingReason.NO_NODE_MATCHES
            return self._waiting(reason, screen.of_pod.words, remedies.of([screen.of_pod.kind]))
        verdict = self._verdict(pod, shape, screen)
        if not self._draft.broken and all(node.host is None for node in self._draft.nodes.values()):
            need = "There is no Neuron node: a NeuronPool has to select nodes that run the device plugin."
            return self._waiting(reasons.WaitingReason.NO_NEURON_NODES, _counted(verdict.objections), need)
        later = list(self._later(pod, verdict, screen))
        counted = _counted(verdict.objections + collections.Counter(words for words, _ in later))
        kinds = dict.fromkeys(kind for _, kind in later if kind is not None)
        asked = f"The pod asks for {plans.listed(map(str, pod.requests))}."
        if not verdict.matching:
            return self._waiting(reasons.WaitingReason.NO_NODE_MATCHES, counted, asked, remedies.of(verdict.kinds))
        if not verdict.large_enough:
            never = remedies.impossible(verdict.impossible, verdict.matching, pod.requests)
            return self._waiting(reasons.WaitingReason.NEVER_FITS, counted, asked, never)
        waits_for_room = len(verdict.roomy) < len(verdict.large_enough) or not kinds or _RESOURCES in kinds
        reason = reasons.WaitingReason.NO_ROOM if waits_for_room else reasons.WaitingReason.NO_NODE_MATCHES
        way_out = self._way_out(pod, shape, verdict)
        return self._waiting(reason, counted, asked, way_out, remedies.of(kinds), _ailing(verdict))

    def _waiting(self, reason: reasons.WaitingReason, counted: str, *sentences: str) -> plans.Waiting:
        available = f"0/{len(self._draft.cluster.nodes)} nodes are available"
        start = f"{available}: {counted}." if counted else f"{available}."
        return plans.Waiting(reason, " ".join(filter(None, (start, *sentences))))

    def _verdict(self, pod: pods.PodView, shape: placements.Shape, screen: screening.Screen) -> _Verdict:
        key = shape.requests, shape.constraints
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(pod, shape, screen)
        return self._verdicts[key]

    def _way_out(self, pod: pods.PodView, shape: placements.Shape, verdict: _Verdict) -> str:
        key = shape.requests, shape.constraints
        if key not in self._ways_out:
            self._ways_out[key] = verdict.way_out(pod)
        return self._ways_out[key]

    def _judge(self, pod: pods.PodView, shape: placements.Shape, screen: screening.Screen) -> _Verdict:
        counts: _Counter = collections.Counter()
        kinds: _Kinds = {}
        impossible: dict[str, placement.Reason] = {}
        stages: tuple[list[node_drafts.NodeDraft], ...] = ([], [], [], [])
        for name, state in self._draft.cluster.nodes.items():
            node = self._draft.nodes.get(name)
            found = screen.steady_objection(state)
            words = self._without_cores(name) if found is None else found.words
            if node is not None:
                beside = found if found is None or found.kind is not _CORDON else _beside_cordon(screen, state)
                if beside is not None:
                    kinds[beside.kind] = None
                else:
                    reached, lacking = self._progress(pod, shape, node, impossible)
                    words = lacking if found is None else words
                    for stage in stages[: reached if found is None else min(reached, 2)]:
                        stage.append(node)
            counts[words] += bool(words)
        matching, large_enough, usable, roomy = map(tuple, stages)
        return _Verdict(+counts, kinds, matching, impossible, large_enough, usable, roomy)

    def _without_cores(self, name: str) -> str:
        is_broken = any(view.name == name for view in self._draft.broken)
        return "node(s) with an unreadable ledger" if is_broken else "node(s) without NeuronCores"

    def _progress(
        self,
        pod: pods.PodView,
        shape: placements.Shape,
        node: node_drafts.NodeDraft,
        impossible: dict[str, placement.Reason],
    ) -> tuple[int, str]:
        """Return how many of the four hurdles of a Verdict the node takes, and the reason why not the next."""
        reason = self._impossibility(pod, shape, node)
        if reason is not None:
            impossible[node.name] = reason
            return 1, remedies.impossible_words(reason, node, pod.requests)
        if node.ineligible is not None:
            return 2, f"node(s) {node.ineligible}"
        if self._draft.placements.on(node, pod.requests, shape) is None:
            return 3, _lacking(pod)
        return 4, ""

    def _impossibility(
        self, pod: pods.PodView, shape: placements.Shape, node: node_drafts.NodeDraft
    ) -> placement.Reason | None:
        key = node.hardware, node.policy.align, shape.requests
        if key not in self._impossible:
            self._impossible[key] = remedies.impossibility(node, pod.requests)
        return self._impossible[key]

    def _later(
        self, pod: pods.PodView, verdict: _Verdict, screen: screening.Screen
    ) -> Iterator[tuple[str, reasons.ObjectionKind | None]]:
        """Yield why not even the nodes that have the cores free would do, in words and by kind."""
        not_yet = self._draft.winding_up(pod.uid)
        for node in verdict.roomy:
            found: tuple[objections.Objection, ...] = screen.objections(self._draft.cluster.nodes[node.name])
            yield from ((each.words, each.kind) for each in found)
            if not found and node.name in not_yet:
                yield "node(s) where an earlier grant of this pod is still being wound up", None
            elif not found and node.name in self._draft.snapshot.avoided.get(pod.uid, ()):
                yield "node(s) where such a pod was refused lately", None
            elif not found and self._draft.kept.against(node.name, kept.rank(pod)):
                yield "node(s) whose free NeuronCores are kept for pods before this one", None
            elif not found:
                yield "node(s) with room for this pod alone", None


def _counted(counts: _Counter) -> str:
    return ", ".join(
        f"{count} {words}" for words, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _beside_cordon(screen: screening.Screen, state: cluster_state.NodeState) -> objections.Objection | None:
    """Return what else is in the way on a cordoned node."""
    host = dataclasses.replace(state.host, unschedulable=False)
    return screen.steady_objection(dataclasses.replace(state, host=host))


def _ailing(verdict: _Verdict) -> str:
    """Return the sentence about unhealthy cores of the nodes that are large enough, "" without any."""
    found = [
        f"{each.span} of {node.name}{f' ({each.reason})' if each.reason else ''}"
        for node in verdict.large_enough
        for each in node.view.unhealthy
    ]
    return f"Unhealthy are cores {plans.listed(found, most=_AILING_SHOWN)}." if found else ""


def _lacking(pod: pods.PodView) -> str:
    if len(pod.requests) > 1:
        return "node(s) without free runs of NeuronCores for all containers together"
    (request,) = pod.requests
    if request.first is not None:
        return f"node(s) where cores {spans.CoreSpan(request.first, request.count)} are not all free"
    if request.devices:
        amount = container_requests.amount(request.resource, request.count)
        return f"node(s) without {amount} free side by side"
    return f"node(s) without {request.count} contiguous free NeuronCores"
