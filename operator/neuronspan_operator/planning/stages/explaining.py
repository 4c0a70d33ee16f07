"""Why each unserved pod has no cores, and what would make it fit.

Law: no gated pod is left without a sentence; the sentence counts nodes per reason, as the scheduler's own does.
"""

import collections
import dataclasses
from collections.abc import Sequence

from neuronspan import spans
from neuronspan_operator import reasons
from neuronspan_operator.objects import container_requests, nodes, pods
from neuronspan_operator.planning import drafts, node_drafts, placements, plans, ways_out

_AILING_SHOWN = 3
"""Runs of unhealthy cores in one sentence: each may come with 256 characters of reason."""


def run(draft: drafts.Draft) -> None:
    """Explain every unserved pod."""
    explainer = _Explainer(draft)
    for pod in draft.unserved:
        explainer.explain(pod)


@dataclasses.dataclass(frozen=True, slots=True)
class _Verdict:
    """Where pods with the same requests and constraints stand; it does not depend on their CPU and memory."""

    objections: collections.Counter[str]  # nodes per reason
    matching: tuple[node_drafts.NodeDraft, ...]  # labels and taints suit
    large_enough: tuple[node_drafts.NodeDraft, ...]  # and the hardware would do, were it empty
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
        self._verdicts: dict[tuple[object, str], _Verdict] = {}
        self._ways_out: dict[tuple[object, str], str] = {}
        self._answers: dict[tuple[placements.Shape, frozenset[str]], plans.Waiting] = {}
        self._empty: dict[tuple[object, ...], bool] = {}

    def explain(self, pod: pods.PodView) -> None:
        """Say why the pod waits."""
        group = self._draft.group_of(pod)
        shape = placements.shape(pod)
        key = shape, frozenset(self._draft.winding_up(pod.uid))
        answer = self._answers.get(key)
        if answer is None:
            answer = self._answers[key] = self._answer(pod, shape)
        if group is not None and not group.complete:
            answer = plans.Waiting(answer.reason, f"{group}, and all of them must fit at once. {answer.message}")
        self._draft.waiting[pod.uid] = answer

    def _answer(self, pod: pods.PodView, shape: placements.Shape) -> plans.Waiting:
        wanted = plans.listed(map(str, pod.requests))
        total = len(self._draft.nodes) + len(self._draft.broken)
        if not self._draft.broken and all(node.host is None for node in self._draft.nodes.values()):
            message = f"{wanted}: there is no Neuron node; a NeuronPool has to select nodes that run the device plugin"
            return plans.Waiting(reasons.WaitingReason.NO_NEURON_NODES, message)
        verdict = self._verdict(pod, shape)
        counted = f"{wanted}: 0/{total} Neuron nodes have room: {_counted(self._with_crowded(pod, verdict))}."
        if not verdict.matching:
            return plans.Waiting(
                reasons.WaitingReason.NO_NODE_MATCHES,
                f"{counted} Change the pod's node selector, affinity or tolerations.",
            )
        if not verdict.large_enough:
            return plans.Waiting(reasons.WaitingReason.NEVER_FITS, _never(wanted, verdict.matching))
        return plans.Waiting(
            reasons.WaitingReason.NO_ROOM, f"{counted} {self._way_out(pod, shape, verdict)}{_ailing(verdict)}"
        )

    def _verdict(self, pod: pods.PodView, shape: placements.Shape) -> _Verdict:
        key = shape.requests, shape.constraints
        if key not in self._verdicts:
            self._verdicts[key] = self._judge(pod, shape)
        return self._verdicts[key]

    def _way_out(self, pod: pods.PodView, shape: placements.Shape, verdict: _Verdict) -> str:
        key = shape.requests, shape.constraints
        if key not in self._ways_out:
            self._ways_out[key] = verdict.way_out(pod)
        return self._ways_out[key]

    def _judge(self, pod: pods.PodView, shape: placements.Shape) -> _Verdict:
        objections = collections.Counter({"with an unreadable ledger": len(self._draft.broken)})
        stages: tuple[list[node_drafts.NodeDraft], ...] = ([], [], [], [])
        for node in self._draft.nodes.values():
            reached, reason = self._progress(pod, shape, node)
            for stage in stages[:reached]:
                stage.append(node)
            objections[reason] += bool(reason)
        return _Verdict(+objections, *map(tuple, stages))

    def _progress(self, pod: pods.PodView, shape: placements.Shape, node: node_drafts.NodeDraft) -> tuple[int, str]:
        """Return how many of the four hurdles of a Verdict the node takes, and the reason why not the next."""
        repelled = "gone" if node.host is None else nodes.repelled(pod, node.host)
        if repelled is not None:
            return 0, repelled
        if not self._holds_when_empty(pod, shape, node):
            return 1, f"too small ({node.hardware.cores} NeuronCores)"
        if node.ineligible is not None:
            return 2, node.ineligible
        if self._draft.placements.on(node, pod.requests, shape) is None:
            return 3, _lacking(pod)
        return 4, ""

    def _holds_when_empty(self, pod: pods.PodView, shape: placements.Shape, node: node_drafts.NodeDraft) -> bool:
        key = node.hardware, node.policy.align, shape.requests
        if key not in self._empty:
            self._empty[key] = ways_out.fits(node, pod.requests, ())
        return self._empty[key]

    def _with_crowded(self, pod: pods.PodView, verdict: _Verdict) -> collections.Counter[str]:
        """Return the reasons, with those why not even the nodes that have the cores free would do."""
        objections = verdict.objections.copy()
        not_yet = self._draft.winding_up(pod.uid)
        for node in verdict.roomy:
            reason = None if node.host is None else nodes.crowded(pod, node.host, node.usage)
            if reason is None:
                winding_up = "where an earlier grant of this pod is still being wound up"
                reason = winding_up if node.name in not_yet else "with room for this pod alone"
            objections[reason] += 1
        return objections


def _counted(objections: collections.Counter[str]) -> str:
    return ", ".join(
        f"{count} {reason}" for reason, count in sorted(objections.items(), key=lambda item: (-item[1], item[0]))
    )


def _ailing(verdict: _Verdict) -> str:
    """Return the sentence about unhealthy cores of the nodes that are large enough, "" without any."""
    found = [
        f"{each.span} of {node.name}{f' ({each.reason})' if each.reason else ''}"
        for node in verdict.large_enough
        for each in node.view.unhealthy
    ]
    return f" Unhealthy are cores {plans.listed(found, most=_AILING_SHOWN)}." if found else ""


def _never(wanted: str, matching: Sequence[node_drafts.NodeDraft]) -> str:
    largest = max(matching, key=lambda node: (node.hardware.cores, node.name))
    return (
        f"{wanted}: no Neuron node the pod may use could hold that, even if it were empty. The largest, {largest.name} "
        f"({largest.hardware.instance_type}), has {largest.hardware.cores} NeuronCores on {largest.hardware.devices} "
        "devices: ask for less in one pod, or add a larger node."
    )


def _lacking(pod: pods.PodView) -> str:
    if len(pod.requests) > 1:
        return "without free runs of NeuronCores for all containers together"
    (request,) = pod.requests
    if request.first is not None:
        return f"where cores {spans.CoreSpan(request.first, request.count)} are not all free"
    if request.devices:
        return f"without {container_requests.amount(request.resource, request.count)} free side by side"
    return f"without {request.count} contiguous free NeuronCores"
